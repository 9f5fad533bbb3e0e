// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Messages are sent one by one, at a rate: some to warm up, and those that are measured.
const (
	latencyRate     = 500
	latencyMessages = 2000
	latencyWarm     = 500
)

// latency compares how long after it was sent a message is handled.
func latency(t *testing.T, l *lab, r *record) {
	contend := func(name string, e engine) contender {
		return contender{name, func(t *testing.T) map[string][]float64 { return map[string][]float64{"latency_ms": l.latencies(t, e)} }}
	}
	r.compare(t, []contender{
		contend("own", engine{Kind: own, Order: concurrent, Concurrency: concurrency}),
		contend("library", engine{Kind: library, Order: concurrent, Concurrency: concurrency, Batch: 1, Pull: 32, Ahead: 1000}),
	})
	r.ratio("latency_p99_vs_library", "x <= 1.0", "quantile(%q, 0.99)", "own_latency_ms", "library_latency_ms")
	for _, name := range []string{"own", "library"} {
		r.each(name+"_latency_p99_ms", "quantile(%q, 0.99)", name+"_latency_ms")
		r.each(name+"_latency_p50_ms", "median(%q)", name+"_latency_ms")
	}
}

// latencies sends messages at the rate to an engine that waits for them, and returns how long each took to be handled, in milliseconds.
func (l *lab) latencies(t *testing.T, e engine) []float64 {
	t.Helper()
	topic := l.newTopic(t)
	e.NameServer, e.Topic, e.Group, e.Latency = l.NameServer(), topic, l.newGroup(t, topic), true
	e.Warm, e.Measure = latencyWarm, latencyMessages
	p := start(t, e.command(t), engineCore)
	defer p.end(t)
	ticker := time.NewTicker(time.Second / latencyRate)
	defer ticker.Stop()
	for i := range latencyWarm + latencyMessages {
		<-ticker.C
		body := binary.BigEndian.AppendUint64(make([]byte, 0, bodySize), uint64(time.Now().UnixNano()))
		l.send(t, l.queue(topic, i%queues), rocketmq.OutMessage{Body: body[:bodySize]})
	}
	return p.result(t).Latencies
}
