// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// pollWait is how long the broker holds a pull while there is no message; pullTimeout is for the answer.
	pollWait    = 15 * time.Second
	pullTimeout = 25 * time.Second
	// missingPause is how often a queue without a committed offset is looked at.
	missingPause = 3 * time.Second
	// A pull or the reading of an offset that failed is repeated after a pause that doubles.
	minFetchPause = 100 * time.Millisecond
	maxFetchPause = 5 * time.Second
)

// fetch fetches until the queue is released or lost, one pull at a time.
func (c *Consumer) fetch(q *queue) {
	var pause backoff
	for q.fetchCtx.Err() == nil {
		offset, n, ripe := c.dispatch.want(q)
		switch {
		case ripe:
			if c.commit(q) != nil || !c.dispatch.roomy(q) {
				pause.wait(q.fetchCtx)
			}
			continue
		case n == 0:
			select {
			case <-q.nudge:
			case <-q.fetchCtx.Done():
			}
			continue
		}
		if err := c.pull(q, offset, n); err != nil && q.fetchCtx.Err() == nil {
			c.pullFailed(q, err)
			pause.wait(q.fetchCtx)
			continue
		}
		pause = 0
	}
}

// openQueue reads the committed offset. A queue that has none is held and never guessed at: the operator seeds it.
func (c *Consumer) openQueue(q *queue) bool {
	var pause backoff
	for q.fetchCtx.Err() == nil {
		ctx, cancel := context.WithTimeout(q.fetchCtx, callTimeout)
		offset, err := c.begin(ctx, q)
		cancel()
		if err == nil {
			c.dispatch.open(q, c.cfg.MaxUncommitted, offset)
			c.cfg.Log.Info("queue gained", "queue", q.id.String(), "offset", offset)
			return true
		}
		if isMissing(err) {
			c.offsetMissing(q)
			sleep(q.fetchCtx, missingPause)
			continue
		}
		c.cfg.Log.Warn("cannot read the committed offset", "queue", q.id.String(), "error", err)
		pause.wait(q.fetchCtx)
	}
	return false
}

// begin is where to begin in a queue. What lies beyond its present end nobody had before us.
func (c *Consumer) begin(ctx context.Context, q *queue) (int64, error) {
	if c.broadcasts() {
		return c.here(ctx, q)
	}
	offset, err := c.client.QueryOffset(ctx, q.link.address(), c.cfg.Group, q.id)
	if err != nil {
		return 0, err
	}
	end, err := c.client.MaxOffset(ctx, q.link.address(), q.id)
	q.doubt = doubt{end: end, left: c.cfg.MaxUncommitted}
	return offset, err
}

// isMissing reports whether an offset could not be read because the group has none there.
func isMissing(err error) bool {
	var refusal *rocketmq.Error
	return errors.As(err, &refusal) && refusal.Code == rocketmq.CodeQueryNotFound
}

func (c *Consumer) offsetMissing(q *queue) {
	c.cfg.Observer.OffsetMissing(q.id)
	if c.dispatch.markMissing(q) {
		c.cfg.Log.Warn("queue held: the group has no committed offset in it, and where to begin is not guessed", "queue", q.id.String())
	}
}

// want returns what to fetch next: from which offset, how many at most. If 0, wait for a nudge, unless ripe says that a commit would make room.
func (d *dispatcher) want(q *queue) (offset int64, n int, ripe bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n = q.window.batch()
	if d.hungry {
		n = min(n, d.demand)
	}
	barred := q.phase != live || !q.link.intact() || d.barred() || d.hungry && q.window.waiting > 0 || d.crammed(q)
	switch {
	case barred:
		n = 0
	case n > q.window.room():
		n, ripe = 0, q.window.ripe() && q.covered(time.Now())
	}
	q.idle = n == 0 && !ripe
	return q.window.next, n, ripe
}

// roomy reports whether another batch fits.
func (d *dispatcher) roomy(q *queue) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return q.window.room() >= q.window.batch()
}

// pull makes one pull and acts on its outcome.
func (c *Consumer) pull(q *queue, offset int64, n int) error {
	ctx, cancel := context.WithTimeout(q.fetchCtx, pullTimeout)
	defer cancel()
	sent := time.Now()
	r, err := c.client.Pull(ctx, q.link.address(), rocketmq.PullRequest{
		Group: c.cfg.Group, Queue: q.id, Offset: offset, MaxMessages: n, Wait: pollWait, Subscription: q.subscription,
	})
	if err != nil {
		return err
	}
	c.cfg.Observer.Pulled(r.Status, len(r.Messages))
	if r.Status == rocketmq.OffsetIllegal {
		return c.offsetIllegal(q, offset, r)
	}
	q.end = end{}
	c.noteGaps(q, offset, r)
	c.compareClocks(q, sent, r)
	switch r.Status {
	case rocketmq.Found:
		bytes := weigh(r.Messages)
		wanted := c.wanted(q, r.Messages)
		keys := c.keys(wanted)
		c.watchUpstream(q, keys)
		c.dispatch.put(q, wanted, keys, bytes, r.Next)
	case rocketmq.NoMatchedMessage, rocketmq.NoNewMessage: // both may have passed over messages that do not match
		c.dispatch.put(q, nil, nil, 0, r.Next)
	}
	return nil
}

// wanted leaves out messages with other tags: brokers compare hashes only. One that cannot be decoded stays.
func (c *Consumer) wanted(q *queue, messages []rocketmq.Message) []rocketmq.Message {
	tags := q.subscription.Tags()
	if tags == nil {
		return messages
	}
	return slices.DeleteFunc(messages, func(m rocketmq.Message) bool {
		return m.Err == nil && !slices.Contains(tags, m.Property(rocketmq.PropertyTags))
	})
}

// markMissing notes that the queue has no committed offset; true: it was not known.
func (d *dispatcher) markMissing(q *queue) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := q.missing
	q.missing = true
	return !known
}

func (c *Consumer) pullFailed(q *queue, err error) {
	c.cfg.Observer.PullFailed(err)
	if errors.Is(err, rocketmq.ErrUnreachable) {
		return // onClose has said so
	}
	c.cfg.Log.Warn("cannot pull", "queue", q.id.String(), "error", err)
	if errors.Is(err, rocketmq.ErrNotFound) { // the topic moved or is gone
		c.members.reroute()
	}
}

// backoff is a pause that doubles until it is set to 0.
type backoff time.Duration

func (b *backoff) wait(ctx context.Context) {
	*b = min(max(2**b, backoff(minFetchPause)), backoff(maxFetchPause))
	sleep(ctx, time.Duration(*b))
}

// sleep pauses, no longer than ctx lives.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
