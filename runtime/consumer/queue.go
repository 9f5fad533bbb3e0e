// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// fenceAge is how old our lock on a queue may be when a handler starts or an offset is committed. The broker frees a lock after 60 s; what started
// in time has the difference to end in.
const fenceAge = 40 * time.Second

// queue is one queue this consumer holds the broker's lock of, from the moment the lock was granted until it was given back or lost.
//
//	opening ──offset read──▶ live ──given up──▶ releasing ──committed──▶ returning ──unlocked──▶ gone
//	   └──────────────────────┴──────lock lost──────┴────────────────────────────────────────────▲
type queue struct {
	id           rocketmq.Queue
	link         *link
	subscription rocketmq.Subscription

	// ctx is the handlers': it is cancelled when their time is up.
	ctx    context.Context
	cancel context.CancelFunc
	// fetchCtx ends with the first step of a release; fetched is closed when the queue's goroutine has ended.
	fetchCtx  context.Context
	stopFetch context.CancelFunc
	fetched   chan struct{}
	// nudge wakes the fetching goroutine: something it waits for may have changed.
	nudge chan struct{}
	// committing is a lock that one commit at a time takes, held across the call.
	committing chan struct{}
	// end and edge are the fetching goroutine's.
	end  end
	edge edge

	// The rest is the dispatcher's, under its lock.

	phase   phase
	window  window
	renewed time.Time // the lock was confirmed by a call sent at this time
	tried   int64     // the offset that was sent last to be committed
	doubt   doubt
	running int
	// started is one more than the highest sequence number handed out.
	started uint64
	// limit: while releasing or suspended, what lies below is still handed out, so that nothing finished is left behind something unfinished.
	limit uint64
	// drained is closed when a releasing queue has nothing running and nothing to hand out.
	drained chan struct{}
	// idle says that the fetching goroutine waits for a nudge.
	idle bool
	// missing: the group has no committed offset here.
	missing bool
	// alarm goes off, at alarmAt, for the first of those that rest until their next attempt; nil: none does.
	alarm   *time.Timer
	alarmAt time.Time
	// probed is the sequence number that follows the last probe.
	probed uint64
	// listed and after make the dispatcher's list of queues with something waiting.
	listed bool
	after  *queue
}

type phase uint8

const (
	opening phase = iota
	live
	releasing
	returning // the lock is neither renewed nor missed any more
	gone
)

func newQueue(ctx context.Context, id rocketmq.Queue, l *link, s rocketmq.Subscription, renewed time.Time) *queue {
	q := &queue{
		id: id, link: l, subscription: s, renewed: renewed,
		fetched:    make(chan struct{}),
		nudge:      make(chan struct{}, 1),
		committing: make(chan struct{}, 1),
		drained:    make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(ctx)
	q.fetchCtx, q.stopFetch = context.WithCancel(q.ctx)
	return q
}

// covered reports whether the queue is certainly ours at the broker: the lock is young and the connection it was confirmed on lives.
func (q *queue) covered(now time.Time) bool {
	return q.link.intact() && now.Sub(q.renewed) < fenceAge
}

// startable returns the next message to hand out, if there is one and it may start.
func (q *queue) startable(now time.Time) (seq uint64, ok bool) {
	if q.window.waiting == 0 || !q.covered(now) {
		return 0, false
	}
	seq = q.window.lowest(0)
	return seq, q.phase == live || q.phase == releasing && seq < q.limit
}

// wake makes the fetching goroutine look again.
func (q *queue) wake() {
	if !q.idle {
		return
	}
	q.idle = false
	select {
	case q.nudge <- struct{}{}:
	default: // already awake
	}
}

// endDrain tells the release, once, that it need not wait any longer.
func (q *queue) endDrain() {
	select {
	case <-q.drained:
	default:
		close(q.drained)
	}
}
