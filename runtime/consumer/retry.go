// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// margin is how far the limit of attempts that holds here, and at the broker, lies above that of the plan, so that the plan decides.
const margin = 8

func (c *Consumer) maxReconsume() int { return c.cfg.MaxAttempts + margin }

// sendBack gives a message back to the group for another attempt. One that its broker has deleted can be had from nobody but us: it becomes a dead letter.
func (c *Consumer) sendBack(t task, o outcome.Outcome) verdict {
	v, deleted := c.giveBack(t, rocketmq.SendBackRequest{
		Group:        c.cfg.Group,
		Message:      t.message,
		DelayLevel:   worker.DelayLevel(o.After),
		MaxReconsume: c.maxReconsume(),
	})
	if deleted {
		return c.bury(t, outcome.Kill(MessageDeleted, fmt.Sprintf("after attempt %d, %s: %s", t.message.Reconsumed+1, o.Reason, o.Detail)))
	}
	return v
}

// giveBack has the broker copy a message into the retry topic or, at level -1, the dead letters. Until it confirms, the message is not finished; deleted: it has none to copy.
func (c *Consumer) giveBack(t task, request rocketmq.SendBackRequest) (v verdict, deleted bool) {
	v = c.attempt(t, func() error {
		ctx, cancel := c.storing()
		defer cancel()
		err := c.client.SendBack(ctx, t.queue.link.address(), request)
		var refusal *rocketmq.Error
		switch {
		case errors.As(err, &refusal) && refusal.Stored():
			c.cfg.Log.Warn("message sent back with less safety than the broker is set up for", append(where(t.message), "error", err)...)
			return nil
		case errors.Is(err, rocketmq.ErrDeleted) && request.DelayLevel != deadLetterLevel: // what does not fit into a letter of ours is asked for again and again, and told of
			deleted = true
			return nil
		}
		return err
	}, func(err error) {
		c.cfg.Observer.SendBackFailed(err)
		c.cfg.Log.Warn("cannot send a message back, trying again", append(where(t.message), "error", err)...)
	})
	return v, deleted
}

// storeTimeout bounds a call that has a broker store a message: longer than the 5 s (syncFlushTimeout) it may wait for its disk or its slave before it says that it
// has stored it. Given up before, each repetition would be another copy.
const storeTimeout = 8 * time.Second

func (c *Consumer) storing() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.calls, storeTimeout)
}
