// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestWhatIsFetchedAndNotFinishedIsBoundedInBytes(t *testing.T) {
	const queues, messages, size, budget = 8, 512, 200 << 10, 8 << 20
	for name, wait := range map[string]func(ctx context.Context, resume <-chan struct{}) outcome.Outcome{
		"while handlers wait": func(_ context.Context, resume <-chan struct{}) outcome.Outcome {
			<-resume
			return outcome.Succeed()
		},
		"while parked": func(_ context.Context, resume <-chan struct{}) outcome.Outcome {
			select {
			case <-resume:
				return outcome.Succeed()
			default:
				return outcome.ParkUntil(resume, "Down", "")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, queues, func(t *testing.T, w *world) {
				w.fillBodies(messages, size)
				resume := make(chan struct{})
				x := w.join("one", func(ctx context.Context, _ *rocketmq.Message) outcome.Outcome { return wait(ctx, resume) },
					func(cfg *Config) { cfg.MaxBytes = budget })
				w.awaitOwner(x)
				elapse(time.Minute)
				s, held := x.Snapshot(), 0
				for _, q := range s.Queues {
					held += q.Uncommitted * size
				}
				if most := budget + queues*(256<<10); held == 0 || held > most || s.Bytes < held || s.Bytes > most {
					t.Errorf("%d bytes are held, %d by its own account; want at most %d", held, s.Bytes, most)
				}
				close(resume)
				w.awaitHandled(messages, time.Minute)
				if s := x.Snapshot(); s.Bytes != 0 {
					t.Errorf("%d bytes are said to be held by nothing", s.Bytes)
				}
			})
		})
	}
}

func TestNoQueueWaitsForTheMemoryOfAnother(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, w *world) {
		x := w.join("one", func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Queue.Broker == "broker-a" {
				<-ctx.Done()
			}
			return outcome.Succeed()
		}, func(cfg *Config) { cfg.MaxBytes, cfg.Concurrency = 1, 2*batchSize })
		w.awaitOwner(x)
		w.fill(128) // half of it at each broker
		w.eventually("the other queue's messages to be handled", 10*time.Second, func() bool { return w.committed() == 64 })
	})
}

func TestAQueueThatIsLostLetsGoOfItsMemory(t *testing.T) {
	f := newFloor(t)
	q := f.queue(0, 0)
	f.put(q, []rocketmq.Message{{Offset: 0}, {Offset: 1}}, nil, 1000, 2)
	running := f.expect(q, 0)[0]
	f.forget(q)
	f.settle(running, passed, outcome.Succeed())
	if f.bytes != 0 {
		t.Errorf("%d bytes are said to be held by a queue that is gone", f.bytes)
	}
}
