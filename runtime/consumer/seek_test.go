// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"errors"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func embedded(cfg *Config) { cfg.Mode, cfg.Handler = Pull, nil }

func TestAPullConsumerSeeks(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		q := w.queues[0]
		w.fill(20)
		x := w.join("one", nil, embedded)
		w.awaitOwner(x)
		take := func() []*Delivery {
			batch, err := x.Batch(t.Context(), 32)
			w.must(err)
			return batch
		}
		complete := func(batch []*Delivery) {
			for _, d := range batch {
				d.Complete(outcome.Succeed())
			}
		}
		for taken := 0; taken < 20; { // they become visible one by one
			batch := take()
			complete(batch)
			taken += len(batch)
		}
		w.eventually("the first pass to be committed", 5*time.Second, func() bool { return w.committed() == 20 })

		w.must(x.Seek(t.Context(), q, 5))
		if n := w.committed(); n != 5 {
			t.Errorf("after seeking back to 5 the broker has %d", n)
		}
		again := take()
		if again[0].Message.Offset != 5 || len(again) != 15 {
			t.Errorf("%d messages from %d, want 15 from 5", len(again), again[0].Message.Offset)
		}

		w.must(x.Seek(t.Context(), q, 18)) // while they are held
		if again[0].Context.Err() == nil {
			t.Error("the context of what was held lives on")
		}
		complete(again)
		if rest := take(); rest[0].Message.Offset != 18 || w.committed() != 18 {
			t.Errorf("a batch from %d, committed %d; want 18: completing what was dropped has no effect", rest[0].Message.Offset, w.committed())
		}

		if err := x.Seek(t.Context(), q, 21); err == nil || w.committed() != 18 {
			t.Errorf("an offset beyond the end: %v, committed %d", err, w.committed())
		}
		if err := x.Seek(t.Context(), rocketmq.Queue{Topic: q.Topic, Broker: q.Broker, ID: 7}, 0); !errors.Is(err, ErrNotOwned) {
			t.Errorf("a queue of nobody: %v", err)
		}
	})
}

func TestWhatIsNotCertainlyOursIsNotSoughtIn(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(5)
		x := w.join("one", nil, embedded)
		w.awaitOwner(x)
		w.fake.Broker().Stop()
		elapse(time.Second)
		if err := x.Seek(t.Context(), w.queues[0], 0); !errors.Is(err, ErrNotOwned) {
			t.Errorf("while the broker is away: %v", err)
		}
		w.must(w.fake.Broker().Start())
		pushing := w.join("two", done)
		if err := pushing.Seek(t.Context(), w.queues[0], 0); err == nil {
			t.Error("a Push consumer seeks")
		}
	})
}
