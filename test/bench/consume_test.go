// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"text/tabwriter"

	"github.com/orderflow-dev/orderflow/test/witness"
)

// The messages that are consumed: the first warm up an engine, Java's compiler above all.
const (
	warm     = 50_000
	measured = 200_000
	bodySize = 256
)

// concurrency is how many messages each engine handles at once.
const concurrency = 20

// consume compares how fast engines with an empty handler are.
func consume(t *testing.T, l *lab, r *record) {
	topic := l.newTopic(t)
	l.fill(t, topic, warm+measured, blank)
	contend := func(name string, e engine) contender {
		return contender{"consume_" + name, func(t *testing.T) map[string][]float64 { return measure(t, l.consuming(t, topic, e)).samples() }}
	}
	r.compare(t, []contender{
		contend("own_concurrent", engine{Kind: own, Order: concurrent, Concurrency: concurrency}),
		contend("own_keyed", engine{Kind: own, Order: keyed, Concurrency: concurrency}),
		contend("own_ordered", engine{Kind: own, Order: ordered, Concurrency: concurrency}),
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

// libraryBest is what a sweep found fastest.
func libraryBest(o order) engine {
	return engine{Kind: library, Order: o, Concurrency: concurrency, Batch: 32, Pull: 32}
}

// javaBest is what a sweep found fastest.
func javaBest() witness.EngineOptions {
	return witness.EngineOptions{Concurrency: concurrency, Batch: 32, Pull: 32}
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

// TestSweep shows how fast the peers are at several settings, for libraryBest and javaBest.
func TestSweep(t *testing.T) {
	l := newLab(t)
	topic := l.newTopic(t)
	l.fill(t, topic, warm+measured, blank)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	row := func(name string, o order, concurrency, batch, pull int, r result) {
		fmt.Fprintf(out, "%s\t%s\tconcurrency %d\tbatch %d\tpull %d\t%.0f msg/s\t%.1f µs CPU\n", name, o, concurrency, batch, pull, r.samples()["per_s"][0], r.samples()["cpu_us"][0])
	}
	for _, s := range []struct{ concurrency, batch, pull int }{{20, 1, 32}, {20, 32, 32}, {20, 32, 256}, {64, 16, 256}, {8, 32, 32}} {
		for _, o := range []order{concurrent, ordered} {
			e := engine{Kind: library, Order: o, Concurrency: s.concurrency, Batch: s.batch, Pull: s.pull}
			row("library", o, s.concurrency, s.batch, s.pull, measure(t, l.consuming(t, topic, e)))
		}
		j := witness.EngineOptions{Concurrency: s.concurrency, Batch: s.batch, Pull: s.pull}
		row("java", concurrent, s.concurrency, s.batch, s.pull, measure(t, l.java(t, topic, j)))
	}
}
