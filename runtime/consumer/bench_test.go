// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// BenchmarkConsume takes a backlog of messages of 256 bytes in 8 queues to an empty handler. Run it with -benchtime=200000x; the broker, a process of its
// own, is not in the CPU time.
func BenchmarkConsume(b *testing.B) {
	for _, tt := range []struct {
		name string
		mode Mode
		key  func(*rocketmq.Message) (string, error)
	}{
		{"Push", Push, nil},
		{"Pull", Pull, nil},
		{"keyed", Push, func(m *rocketmq.Message) (string, error) { return m.Property(rocketmq.PropertyKeys), nil }},
		{"ordered by queue", Push, func(*rocketmq.Message) (string, error) { return "", nil }},
	} {
		b.Run(tt.name, func(b *testing.B) {
			w := onBroker(b, broker.Shared(b).NameServer(), 8)
			w.fillBodies(b.N, 256)
			var handled atomic.Int64
			first, last := make(chan struct{}), make(chan struct{})
			count := handlerFunc(func(context.Context, *rocketmq.Message) outcome.Outcome {
				n := handled.Add(1)
				if n == 1 {
					close(first)
				}
				if n == int64(b.N) {
					close(last)
				}
				return outcome.Succeed()
			})
			c, err := New(Config{NameServers: []string{w.nameServer}, Group: w.group, Instance: "bench", Topic: w.topic, Handler: count, Mode: tt.mode, OrderKey: tt.key})
			w.must(err)
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			b.ResetTimer()
			go func() { ended <- c.Run(ctx) }()
			<-first
			begun, cpu := time.Now(), cpuTime(b)
			<-last
			took, used := time.Since(begun), cpuTime(b)-cpu
			b.StopTimer()
			b.ReportMetric(float64(b.N)/took.Seconds(), "msg/s")
			b.ReportMetric(float64(used.Nanoseconds())/1000/float64(b.N), "cpu-µs/msg")
			stop()
			w.must(<-ended)
			if n := w.committed(); n != b.N {
				b.Errorf("%d messages are committed, want %d", n, b.N)
			}
		})
	}
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
