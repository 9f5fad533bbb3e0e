// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/binary"
	"fmt"
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

// latency compares how long after it was sent a message is handled. Both engines get the same messages at the same time, each in a group of its own, so that what the
// machine does to one it does to the other; which starts first changes from round to round.
func latency(t *testing.T, l *lab, r *record) {
	first, second := engine{Kind: own, Concurrency: concurrency}, engine{Kind: library, Concurrency: concurrency, Batch: 1, Pull: 32, Ahead: 1000}
	r.compare(t, []contender{{"latency", func(t *testing.T) map[string][]float64 {
		first, second = second, first
		return l.latencies(t, first, second)
	}}})
	r.ratio("latency_p99_vs_library", "x <= 1.0", "quantile(%q, 0.99)", "latency_own_ms", "latency_library_ms")
	for _, name := range []kind{own, library} {
		series := fmt.Sprintf("latency_%s_ms", name)
		r.each(fmt.Sprintf("latency_%s_p99_ms", name), "quantile(%q, 0.99)", series)
		r.each(fmt.Sprintf("latency_%s_p50_ms", name), "median(%q)", series)
	}
}

// latencies sends messages at the rate to engines that wait for them, and returns how long each took to be handled, in milliseconds.
func (l *lab) latencies(t *testing.T, engines ...engine) map[string][]float64 {
	t.Helper()
	topic := l.newTopic(t)
	processes := map[kind]*process{}
	for _, e := range engines {
		e.NameServer, e.Topic, e.Group, e.Latency = l.NameServer(), topic, l.newGroup(t, topic), true
		e.Warm, e.Measure = latencyWarm, latencyMessages
		processes[e.Kind] = start(t, e.command(t), engineCore)
	}
	ticker := time.NewTicker(time.Second / latencyRate)
	defer ticker.Stop()
	for i := range latencyWarm + latencyMessages {
		<-ticker.C
		body := binary.BigEndian.AppendUint64(make([]byte, 0, bodySize), uint64(time.Now().UnixNano()))
		l.send(t, l.queue(topic, i%queues), rocketmq.OutMessage{Body: body[:bodySize]})
	}
	samples := map[string][]float64{}
	for name, p := range processes {
		samples[string(name)+"_ms"] = p.result(t).Latencies
		p.end(t)
	}
	return samples
}
