// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// resetOffset sets the group's offset in a queue as mqadmin does.
func (w *world) resetOffset(q rocketmq.Queue, offset int64) {
	w.t.Helper()
	_, err := w.client.Do(w.ctx(), w.masters[q.Broker], rocketmq.Op(222), rocketmq.Fields{
		{Name: "topic", Value: q.Topic}, {Name: "group", Value: w.group}, {Name: "queueId", Value: fmt.Sprint(q.ID)},
		{Name: "timestamp", Value: "-1"}, {Name: "offset", Value: fmt.Sprint(offset)}, {Name: "isForce", Value: "true"},
	}, nil)
	w.must(err)
}

func TestAnAdministratorsResetIsFollowed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		to    int64
		again []int64 // the first and the last offset handled after the reset
	}{
		{"back, below what is held", 2, []int64{2, 37}},
		{"back, into what is held", 10, []int64{10, 37}},
		{"ahead, beyond what is held", 37, []int64{37, 37}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			both(t, 1, func(t *testing.T, w *world) {
				w.fill(37) // of which the window has 32 after the first commit, so that another batch just fits
				o := &noting{}
				release := make(chan struct{})
				held := int64(5)
				x := w.join("one", func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
					if m.Offset == held {
						select {
						case <-release:
						case <-ctx.Done():
						}
					}
					return outcome.Succeed()
				}, o.observe, func(cfg *Config) { cfg.MaxUncommitted = 2 * batchSize })
				w.eventually("all but one to be done", 10*time.Second, func() bool { return x.Snapshot().InFlight == 1 && w.ledger.tally().starts == 37 })
				w.eventually("the offset of the one to be committed", 5*time.Second, func() bool { return w.committed() == 5 })
				before := len(w.ledger.all())
				w.resetOffset(w.queues[0], tt.to)
				w.sendTo(w.queues[0]) // ends the pull that waits
				w.eventually("the reset to be noticed", 20*time.Second, func() bool { return o.count("Reset") == 1 })
				close(release)
				w.eventually("everything to be committed", 10*time.Second, func() bool { return w.committed() == 38 })
				var offsets []int64
				for _, e := range w.ledger.all()[before:] {
					offsets = append(offsets, e.offset)
				}
				slices.Sort(offsets)
				if len(offsets) != int(tt.again[1]-tt.again[0])+1 || offsets[0] != tt.again[0] || offsets[len(offsets)-1] != tt.again[1] {
					t.Errorf("handled the offsets %v after a reset to %d", offsets, tt.to)
				}
				if n := o.count("PullFailed"); n != 0 {
					t.Errorf("%d pulls failed, want none: a reset is no failure", n)
				}
			})
		})
	}
}

func TestAQueueThatEndsBeforeWhatWasReadIsWaitedFor(t *testing.T) {
	for _, tt := range []struct {
		name   string
		more   func(w *world) // 5 s after the first answer
		told   int
		starts int
	}{
		{"and read on when its end is found again", func(w *world) { w.fill(60) }, 0, 10},
		{"and read from its lowest end when that stands", func(w *world) { w.fill(7) }, 1, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				q := w.queues[0]
				w.fill(40)
				w.must(w.client.CommitOffset(w.ctx(), w.masters[q.Broker], w.group, q, 90))
				o := &noting{}
				x := w.join("one", done, o.observe)
				w.awaitOwner(x)
				elapse(endPatience / 2)
				tt.more(w)
				elapse(endPatience)
				if got := w.ledger.tally(); o.count("BeyondEnd") != tt.told || got.starts != tt.starts || w.committed() != w.nextMessage {
					t.Errorf("told of %v, %+v, committed %d; want %d resets and %d messages handled", o.counts, got, w.committed(), tt.told, tt.starts)
				}
			})
		})
	}
}
