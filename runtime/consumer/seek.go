// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// ErrNotOwned: the queue is not this consumer's, or that is not certain at this moment.
var ErrNotOwned = errors.New("the queue is not this consumer's")

// Seek makes the group go on at an offset of a queue that this consumer owns, in Pull mode: back to handle messages again, or ahead to leave some out. The next Batch
// brings messages from there on. It returns when the broker has the offset; an error other than ErrNotOwned, after the position has moved here, says that the
// broker has not: it is committed as soon as that is possible, unless the queue is lost before.
//
// What was fetched of the queue and not completed is dropped: the context of its deliveries is cancelled, and completing them has no effect. An offset that the
// queue does not have is refused: its end is the highest.
func (c *Consumer) Seek(ctx context.Context, id rocketmq.Queue, offset int64) error {
	if c.cfg.Mode != Pull {
		return fmt.Errorf("seek in %v: only a consumer in Pull mode seeks, this one is in %s", id, c.cfg.Mode)
	}
	q := c.dispatch.owned(id)
	if q == nil {
		return fmt.Errorf("seek in %v: %w", id, ErrNotOwned)
	}
	if err := c.within(ctx, q, offset); err != nil {
		return fmt.Errorf("seek in %v: %w", id, err)
	}
	fresh := c.restart(q, offset)
	if fresh == nil {
		return fmt.Errorf("seek in %v: %w", id, ErrNotOwned)
	}
	c.cfg.Log.Info("position moved", "queue", id.String(), "to", offset)
	if err := c.commit(fresh); err != nil {
		return fmt.Errorf("seek in %v to %d: commit it: %w", id, offset, err)
	}
	if !c.dispatch.saved(fresh) {
		return fmt.Errorf("seek in %v to %d: %w", id, offset, errUncovered)
	}
	return nil
}

// within says what is wrong with an offset.
func (c *Consumer) within(ctx context.Context, q *queue, offset int64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	least, err := c.client.MinOffset(ctx, q.link.address(), q.id)
	if err != nil {
		return err
	}
	end, err := c.client.MaxOffset(ctx, q.link.address(), q.id)
	if err != nil {
		return err
	}
	if offset < least || offset > end {
		return fmt.Errorf("the offset %d is not in the queue, which has %d to %d", offset, least, end)
	}
	return nil
}

// owned returns a queue that is certainly ours and read, nil if it is not.
func (d *dispatcher) owned(id rocketmq.Queue) *queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues[id]
	if q == nil || q.phase != live || !q.covered(time.Now()) {
		return nil
	}
	return q
}
