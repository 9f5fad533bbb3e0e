// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"fmt"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// offsetIllegal goes on where the broker lets us, and says so. It answers alike in three cases: an administrator set the group's offset, which it says
// once; below the minimum messages were deleted unread; above the maximum the group was ahead of the queue, which was made anew or lost its end.
func (c *Consumer) offsetIllegal(q *queue, offset int64, r rocketmq.PullResult) error {
	legal, position := r.Min <= offset && offset <= r.Max, c.dispatch.position(q)
	switch {
	case legal && offset == r.Next && offset == position:
		return fmt.Errorf("pull from %v: the broker calls the offset %d illegal, says it has [%d, %d), and sends us to where we are", q.id, offset, r.Min, r.Max)
	case legal || r.Next != r.Min && r.Next != r.Max: // no bound explains it
		c.jumped(q, worker.JumpReset, offset, r.Next)
		c.restart(q, r.Next)
	case offset < r.Min:
		c.jumped(q, worker.JumpDeleted, offset, r.Min)
		c.dispatch.skip(q, r.Min)
	case !q.end.stands(r.Max):
		return fmt.Errorf("pull from %v: the offset %d lies beyond the end, %d; waiting whether that moves", q.id, offset, r.Max)
	default:
		to := min(position, q.end.lowest) // what is fetched and unfinished may still be there
		c.jumped(q, worker.JumpBeyondEnd, offset, to)
		c.restart(q, to)
	}
	return nil
}

// endPatience is for how long a queue's end is not believed that lies before what was read already: after an unclean restart a broker begins with what it
// has found again of the queue.
const endPatience = 10 * time.Second

// end is what a broker says, since when, of where a queue ends, while that lies before the offset to fetch.
type end struct {
	since  time.Time
	lowest int64
}

// stands notes another answer, and reports whether they have been such for long enough.
func (e *end) stands(at int64) bool {
	if e.since.IsZero() {
		*e = end{since: time.Now(), lowest: at}
	}
	e.lowest = min(e.lowest, at) // what was stored since is unread
	return time.Since(e.since) >= endPatience
}

// skip moves a queue's next offset on.
func (d *dispatcher) skip(q *queue, to int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q.window.next = max(q.window.next, to)
}

func (d *dispatcher) position(q *queue) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return q.window.position()
}

// restart begins a queue anew at an offset, under the lock we have. A window only moves on, so that the queue gets a new one; what was fetched into the
// old one is dropped uncommitted, and what runs is cancelled: it comes again, if the new offset lies below it. It returns the new one, nil if the old one is
// no longer read.
func (c *Consumer) restart(q *queue, offset int64) *queue {
	fresh := newQueue(c.handling, q.id, q.link, q.subscription, time.Time{})
	fresh.committing = q.committing // a commit of the old one in flight ends before the first of the new one
	if c.dispatch.replace(q, fresh, newWindow(c.cfg.MaxUncommitted, offset)) {
		c.tasks.Go(func() {
			defer close(fresh.fetched)
			c.fetch(fresh)
		})
		return fresh
	}
	fresh.cancel()
	return nil
}

// replace puts a queue that begins at a window in the place of a live one.
func (d *dispatcher) replace(q, fresh *queue, w window) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q.phase != live {
		return false
	}
	d.drop(q)
	fresh.phase, fresh.renewed, fresh.window, fresh.doubt = live, q.renewed, w, q.dropped()
	fresh.window.committed = unknown
	d.queues[q.id] = fresh
	d.guard(fresh)
	return true
}
