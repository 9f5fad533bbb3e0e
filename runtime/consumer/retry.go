// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// margin is how far the limit of attempts that holds here, and at the broker, lies above that of the plan, so that the plan decides.
const margin = 8

func (c *Consumer) maxReconsume() int { return c.cfg.MaxAttempts + margin }

// sendBack gives a message back to the group for another attempt.
func (c *Consumer) sendBack(t task, o outcome.Outcome) verdict {
	request := rocketmq.SendBackRequest{
		Group:        c.cfg.Group,
		Message:      t.message,
		DelayLevel:   worker.DelayLevel(o.After),
		MaxReconsume: c.maxReconsume(),
	}
	return c.giveBack(t, request)
}

// giveBack has the broker copy a message into the retry topic or, at level -1, the dead letters. Until it confirms, the message is not finished.
func (c *Consumer) giveBack(t task, request rocketmq.SendBackRequest) verdict {
	return c.attempt(t, func() error {
		ctx, cancel := c.call()
		defer cancel()
		return c.client.SendBack(ctx, t.queue.link.address(), request)
	}, func(err error) {
		c.cfg.Observer.SendBackFailed(err)
		c.cfg.Log.Warn("cannot send a message back, trying again", append(where(t.message), "error", err)...)
	})
}
