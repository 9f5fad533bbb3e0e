// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// doubted are the bodies of the messages whose handler was told that they may have been handled before, and of the others.
type doubted struct {
	mu        sync.Mutex
	maybe, no []string
}

func (d *doubted) handle(_ context.Context, m *rocketmq.Message) outcome.Outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.MaybeHandled {
		d.maybe = append(d.maybe, trimmed(m.Body))
	} else {
		d.no = append(d.no, trimmed(m.Body))
	}
	return outcome.Succeed()
}

func (d *doubted) want(t *testing.T, maybe, no []string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.maybe)
	slices.Sort(d.no)
	if !slices.Equal(d.maybe, maybe) || !slices.Equal(d.no, no) {
		t.Errorf("%v may have been handled before and %v not, want %v and %v", d.maybe, d.no, maybe, no)
	}
}

func TestTheNextOwnerIsToldWhatMayHaveBeenHandled(t *testing.T) {
	for name, end := range map[string]func(*member){"after a hand-over": (*member).leave, "after a crash": (*member).kill} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				w.fill(3)
				one := w.join("one", always(outcome.RetryLater(time.Hour, "Timeout", "")), orderly)
				w.eventually("an attempt at each", 10*time.Second, func() bool { return w.ledger.tally().starts == 3 })
				end(one)
				var two doubted
				x := w.join("two", two.handle, orderly)
				w.eventually("it to have handled all", 10*time.Second, func() bool { return w.ledger.by(x) == 3 })
				w.fill(2)
				w.eventually("what came since", 10*time.Second, func() bool { return w.ledger.by(x) == 5 })
				two.want(t, []string{"0", "1", "2"}, []string{"3", "4"})
			})
		})
	}
}

func TestNoMoreIsDoubtedThanAnOwnerCanHaveHad(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(8)
		var seen doubted
		w.join("one", seen.handle, func(cfg *Config) { cfg.MaxUncommitted = 4 })
		w.awaitHandled(8, 10*time.Second)
		seen.want(t, []string{"0", "1", "2", "3"}, []string{"4", "5", "6", "7"})
	})
}

func TestWhatIsDroppedByASeekMayHaveBeenHandled(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		x := w.join("one", nil, pulling, func(cfg *Config) { cfg.Handler = nil })
		w.awaitOwner(x)
		w.fill(4)
		batch := func() []*Delivery {
			batch, err := x.Batch(t.Context(), 4)
			w.must(err)
			return batch
		}
		first := batch()
		if first[0].Message.MaybeHandled {
			t.Error("a message that came since the queue was taken may have been handled by another")
		}
		first[0].Complete(outcome.Succeed())
		first[1].Complete(outcome.Succeed())
		w.must(x.Seek(t.Context(), w.queues[0], 1))
		var maybe []bool
		for len(maybe) < 3 {
			for _, d := range batch() {
				maybe = append(maybe, d.Message.MaybeHandled)
				d.Complete(outcome.Succeed())
			}
		}
		if want := []bool{false, true, true}; !slices.Equal(maybe, want) {
			t.Errorf("the messages that were read again may have been handled: %v, want %v", maybe, want)
		}
	})
}
