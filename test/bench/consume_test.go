// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/orderflow-dev/orderflow/test/witness"
)

// The messages that are consumed: the first warm up an engine, Java's compiler above all.
const (
	warm     = 50_000
	measured = 200_000
	bodySize = 256
)

// brokerWarm is how often the messages are consumed before: until its compiler has seen two million, a broker serves at half of its speed, which bounds the faster engines.
const brokerWarm = 8

// concurrency is how many messages each engine handles at once.
const concurrency = 20

// consume compares how fast engines with an empty handler are.
func consume(t *testing.T, l *lab, r *record) {
	topic := l.newTopic(t)
	l.fill(t, topic, warm+measured, blank)
	contend := func(name string, e engine) contender {
		return contender{"consume_" + name, func(t *testing.T) map[string][]float64 { return measure(t, l.consuming(t, topic, e)).samples() }}
	}
	l.warmUp(t, topic)
	r.compare(t, []contender{
		contend("own_concurrent", ownBest(concurrent)),
		contend("own_keyed", ownBest(keyed)),
		contend("own_ordered", ownBest(ordered)),
		contend("library_concurrent", libraryBest(concurrent)),
		contend("library_ordered", libraryBest(ordered)),
		{"consume_java", func(t *testing.T) map[string][]float64 { return measure(t, l.java(t, topic, javaBest())).samples() }},
	})
	const median = "median(%q)"
	r.ratio("consume_vs_library", "x >= 2.0", median, "consume_own_concurrent_per_s", "consume_library_concurrent_per_s")
	r.ratio("consume_keyed_vs_library", "x >= 2.0", median, "consume_own_keyed_per_s", "consume_library_concurrent_per_s")
	r.ratio("consume_ordered_vs_library", "x >= 2.0", median, "consume_own_ordered_per_s", "consume_library_ordered_per_s")
	r.ratio("consume_cpu_vs_library", "x <= 0.5", median, "consume_own_concurrent_cpu_us", "consume_library_concurrent_cpu_us")
	r.ratio("consume_vs_java", "x >= 2.0", median, "consume_own_concurrent_per_s", "consume_java_per_s")
	for _, name := range []string{"own_concurrent", "own_keyed", "own_ordered", "library_concurrent", "library_ordered", "java"} {
		r.each("consume_"+name+"_per_s", median, "consume_"+name+"_per_s")
		r.each("consume_"+name+"_cpu_us", median, "consume_"+name+"_cpu_us")
	}
}

// libraryBest is rocketmq-client-go at the settings that TestSweep found fastest on two cores with a warm broker (thousands of messages a second; rounds differ by a tenth):
//
//	concurrency 64, batch 32, pull 32, ahead 65535    concurrent 333   ordered 280
//	the same, concurrency 8                           concurrent 328   ordered 260
//	the same, concurrency 20                          concurrent 283   ordered 268
//	the same, pull 256                                concurrent 286   ordered 240
//	the same, batch 1                                 concurrent 217   ordered 245
//
// It sleeps for 10 ms where a queue has run empty, and 50 ms where it is too full: with less ahead it is slower.
func libraryBest(o order) engine {
	return engine{Kind: library, Order: o, Concurrency: 64, Batch: 32, Pull: 32, Ahead: 65535}
}

// ownBest has a longer window than the default of 256, as the peers have: spec.consume.maxUncommitted.
func ownBest(o order) engine {
	return engine{Kind: own, Order: o, Concurrency: concurrency, Ahead: 1024}
}

// javaBest is the Java client at the settings that TestSweep found fastest: 213 thousand messages a second; with 8 or 64 threads 205 to 208, with pull 256 195, with batches of
// one 168. It fills its core, and the broker returns 32 messages a pull at most whatever it is asked for.
func javaBest() witness.EngineOptions {
	return witness.EngineOptions{Concurrency: concurrency, Batch: 32, Pull: 32, Ahead: 65535}
}

// warmUp has the broker serve a topic until it serves it as fast as it can.
func (l *lab) warmUp(t *testing.T, topic string) {
	t.Helper()
	for range brokerWarm {
		measure(t, l.consuming(t, topic, ownBest(concurrent)))
	}
}

// consuming is an engine that consumes a topic under a group of its own.
func (l *lab) consuming(t *testing.T, topic string, e engine) *exec.Cmd {
	t.Helper()
	e.NameServer, e.Topic, e.Group, e.Warm, e.Measure = l.NameServer(), topic, l.newGroup(t, topic), warm, measured
	return e.command(t)
}

// java is the Java client that does.
func (l *lab) java(t *testing.T, topic string, o witness.EngineOptions) *exec.Cmd {
	t.Helper()
	o.Client = witness.Client{NameServer: l.NameServer(), Topic: topic, Group: l.newGroup(t, topic)}
	o.Warm, o.Measure = warm, measured
	return witness.Engine(t.Context(), t, o)
}

// TestSweep shows how fast engines are at several settings, for libraryBest and javaBest. Ours has only the length of its window; 0 is its default.
func TestSweep(t *testing.T) {
	l := newLab(t)
	topic := l.newTopic(t)
	l.fill(t, topic, warm+measured, blank)
	l.warmUp(t, topic)
	row := func(name string, o order, settings any, r result) {
		s := r.samples()
		fmt.Printf("%-8s %-10s %v: %.0f msg/s, %.1f µs CPU\n", name, o, settings, s["per_s"][0], s["cpu_us"][0])
	}
	for _, s := range []struct{ Concurrency, Batch, Pull, Ahead int }{{20, 32, 32, 1000}, {20, 32, 32, 65535}, {20, 32, 256, 65535}, {64, 32, 32, 65535}, {8, 32, 32, 65535}, {20, 1, 32, 65535}} {
		for _, o := range []order{concurrent, ordered} {
			e := engine{Kind: library, Order: o, Concurrency: s.Concurrency, Batch: s.Batch, Pull: s.Pull, Ahead: s.Ahead}
			row("library", o, s, measure(t, l.consuming(t, topic, e)))
		}
		j := witness.EngineOptions{Concurrency: s.Concurrency, Batch: s.Batch, Pull: s.Pull, Ahead: s.Ahead}
		row("java", concurrent, s, measure(t, l.java(t, topic, j)))
	}
	for _, ahead := range []int{0, 1024} {
		for _, o := range []order{concurrent, keyed, ordered} {
			row("own", o, ahead, measure(t, l.consuming(t, topic, engine{Kind: own, Order: o, Concurrency: concurrency, Ahead: ahead})))
		}
	}
}

// TestProfile writes the CPU profile of our consumer, one for each order, to this folder: what is tuned is what it shows.
func TestProfile(t *testing.T) {
	l := newLab(t)
	topic := l.newTopic(t)
	l.fill(t, topic, warm+measured, blank)
	for _, o := range []order{concurrent, keyed, ordered} {
		e := engine{Kind: own, Order: o, Concurrency: concurrency, Profile: string(o) + ".prof"}
		fmt.Println(o, measure(t, l.consuming(t, topic, e)).samples())
	}
}
