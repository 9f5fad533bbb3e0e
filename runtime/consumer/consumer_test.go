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

func done(context.Context, *rocketmq.Message) outcome.Outcome { return outcome.Succeed() }

// taking makes a handler that takes so long and succeeds.
func taking(d time.Duration) handlerFunc {
	return func(ctx context.Context, _ *rocketmq.Message) outcome.Outcome {
		select {
		case <-time.After(d):
			return outcome.Succeed()
		case <-ctx.Done():
			return outcome.RetryLater(0, "Cancelled", "")
		}
	}
}

// handlerWaiting makes a handler that waits until released is closed, whatever its context says, and succeeds.
func handlerWaiting(released <-chan struct{}) handlerFunc {
	return func(context.Context, *rocketmq.Message) outcome.Outcome {
		<-released
		return outcome.Succeed()
	}
}

func TestABacklogIsHandledOnceAndCommitted(t *testing.T) {
	const n = 1000
	consume := func(t *testing.T, w *world) {
		w.fill(n)
		x := w.join("one", done)
		w.eventually("the backlog to be handled", 20*time.Second, func() bool { return w.ledger.tally().starts >= n })
		w.eventually("the offsets to be committed", 5*time.Second, func() bool { return w.committed() == n })
		x.leave()
		if got, want := w.ledger.tally(), (tally{starts: n, unique: n}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	inEach(t, everyWay(), 8, consume)
}
