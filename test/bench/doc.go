// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bench measures the data plane against what shops use today, on a real broker: `make bench-runtime` writes out/bench-runtime.json. It is tests alone, which
// `make test` leaves out.
//
// # How it measures
//
// Every engine is a process of its own: this test binary again, see TestMain, or Java. The contenders of one comparison run in turns, round after round, in
// another order each time, and a figure is the median of its rounds' ratios, with their spread. The broker has one core to itself, engines the other, so that what
// is compared is the engines. Each run reads the same messages from the start under a group of its own; the first of them warm it up and are not measured, and the
// broker is warmed up before all. CPU is what the engine's process used between the first and the last measured message. Latency is compared on the same messages at the same
// time instead.
//
// # The whole chain
//
// Workers run as they are deployed, and call a third party; Go and Java consumers do by hand what the Push handler does. An instant third party shares the broker's
// core and says when it was called how often, by which all are measured alike, and CPU by /proc. Java has the smallest heap that keeps 95 % of its throughput, found first.
//
// The slow, dead and silent ones are package stub in this process. What counts as slow begins when it becomes slow, so adaptive concurrency has to find its way
// in that time. Peaks are calls in any second by what is declared for one, the rate and the burst. Outages last twelve seconds, as the pauses between probes are by
// then what they are for ten minutes; the long one lasts more than ten minutes and goes on beside everything else.
//
// # The peers
//
// Each has the settings that a sweep found fastest on this method: see libraryBest and javaBest. `go test -run TestSweep -v ./test/bench` sweeps again, and TestProfile writes
// CPU profiles of our consumer.
//
// # Limits
//
// With the broker on the other core, throughput is that of whichever of the two is slower: from about 350,000 messages a second on it is the broker's. On a machine that does
// something else meanwhile throughput spreads widely, CPU per message hardly.
package bench
