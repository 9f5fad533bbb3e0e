// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"time"
)

// commitPeriod is how often changed positions are committed.
const commitPeriod = 100 * time.Millisecond

// commitLoop commits what has changed, period by period. A commit that takes long holds up its own queue only.
func (c *Consumer) commitLoop() {
	ticker := time.NewTicker(commitPeriod)
	defer ticker.Stop()
	defer c.commits.end()
	for {
		c.commits.beat()
		select {
		case <-ticker.C:
		case <-c.calls.Done():
			return
		}
		for _, q := range c.dispatch.changed() {
			select {
			case q.committing <- struct{}{}:
				c.tasks.Go(func() {
					defer func() { <-q.committing }()
					_ = c.commitNow(q) // reported, and the next period tries again
				})
			default: // the last one is not back yet
			}
		}
	}
}

// commit commits the queue's position, after a commit in flight.
func (c *Consumer) commit(q *queue) error {
	q.committing <- struct{}{}
	defer func() { <-q.committing }()
	return c.commitNow(q)
}

// commitNow commits the queue's position if it moved and the queue is certainly ours. The caller has taken q.committing.
func (c *Consumer) commitNow(q *queue) error {
	offset, due := c.dispatch.due(q)
	if !due {
		return nil
	}
	if c.broadcasts() { // the position is ours alone
		c.cfg.Observer.Committed(c.dispatch.committed(q, offset))
		return nil
	}
	ctx, cancel := c.call()
	defer cancel()
	if err := c.client.CommitOffset(ctx, q.link.address(), c.cfg.Group, q.id, offset); err != nil {
		c.cfg.Observer.CommitFailed(err)
		return err
	}
	c.cfg.Observer.Committed(c.dispatch.committed(q, offset))
	return nil
}

// changed lists the queues of which something is to be committed.
func (d *dispatcher) changed() []*queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	var queues []*queue
	for _, q := range d.queues {
		if q.unsaved() {
			queues = append(queues, q)
		}
	}
	return queues
}

// due returns the offset to commit, if there is one and the queue is certainly ours: the broker takes a commit from anybody, so that one by a former
// owner would move the queue under its present one.
func (d *dispatcher) due(q *queue) (offset int64, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if due = q.unsaved() && q.covered(time.Now()); due {
		q.tried = q.window.position()
	}
	return q.window.position(), due
}

// unsaved reports whether there is an offset to commit. The dispatcher's lock is held.
func (q *queue) unsaved() bool {
	return (q.phase == live || q.phase == releasing) && q.window.position() != q.window.committed
}

// committed notes that the broker has the offset, and returns how many messages that covers.
func (d *dispatcher) committed(q *queue, offset int64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := q.window.first
	q.window.commit(offset)
	q.wake()
	return int(q.window.first - before)
}
