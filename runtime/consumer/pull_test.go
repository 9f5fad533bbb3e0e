// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func pulling(cfg *Config) { cfg.Mode = Pull }

func TestPullModeHandlesABacklogWithAllItsHands(t *testing.T) {
	both(t, 4, func(t *testing.T, w *world) {
		w.fill(400)
		most := 0
		var x *member
		handle := func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
			w.ledger.mu.Lock()
			most = max(most, x.Snapshot().InFlight)
			w.ledger.mu.Unlock()
			return taking(10*time.Millisecond)(ctx, m)
		}
		ready := make(chan struct{})
		x = w.join("one", func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
			<-ready
			return handle(ctx, m)
		}, pulling, func(cfg *Config) { cfg.Concurrency = 7 })
		close(ready)
		w.awaitHandled(400, time.Minute)
		if got := w.ledger.tally(); got.duplicates != 0 || most != 7 {
			t.Errorf("%+v, at most %d at once; want no duplicates and 7", got, most)
		}
	})
}

func TestPullModeFetchesNothingAheadOfABatch(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.fill(1000)
		x := w.join("one", nil, pulling, func(cfg *Config) { cfg.Handler = nil })
		w.awaitOwner(x)
		elapse(time.Minute)
		if pulls := w.fake.Calls(rocketmq.OpPull); len(pulls) != 0 {
			t.Fatalf("%d pulls before a batch was asked for", len(pulls))
		}
		batch, err := x.Batch(t.Context(), 10)
		w.must(err)
		elapse(time.Minute)
		held := 0
		for _, q := range x.Snapshot().Queues {
			held += q.Waiting
		}
		if len(batch) == 0 || len(batch) > 10 || held > 4*10 {
			t.Errorf("a batch of %d and %d more in memory, want at most 10 and one batch of each queue", len(batch), held)
		}
		if n := w.committed(); n != 0 {
			t.Errorf("%d messages are committed before they are completed", n)
		}
		for _, d := range batch {
			d.Complete(outcome.Succeed())
		}
		w.eventually("the batch to be committed", time.Second, func() bool { return w.committed() == len(batch) })
	})
}

func TestABatchWaitsForAMessageItsContextOrTheStop(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", nil, pulling, func(cfg *Config) { cfg.Handler = nil })
		w.awaitOwner(x)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := x.Batch(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a batch of nothing ended with %v, want the context's error", err)
		}
		time.AfterFunc(time.Minute, func() { w.fill(1) })
		batch, err := x.Batch(t.Context(), 10)
		w.must(err)
		if len(batch) != 1 {
			t.Fatalf("a batch of %d, want the one message", len(batch))
		}
		batch[0].Complete(outcome.Succeed())
		time.AfterFunc(time.Minute, x.stop)
		if _, err := x.Batch(t.Context(), 10); !errors.Is(err, ErrStopped) {
			t.Errorf("the batch ended with %v, want ErrStopped", err)
		}
	})
}
