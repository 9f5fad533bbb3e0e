// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// The reasons this package gives by itself.
const (
	// Undecodable: the message as stored, or its compressed body, cannot be read. Its dead letter holds the raw bytes.
	Undecodable outcome.Reason = "Undecodable"
	// HandlerPanic: the handler did not return.
	HandlerPanic outcome.Reason = "HandlerPanic"
	// InvalidOutcome: the handler returned no outcome.
	InvalidOutcome outcome.Reason = "InvalidOutcome"
	// DeadLetterRefused: a dead letter cannot be written, so that nothing further is started.
	DeadLetterRefused outcome.Reason = "DeadLetterRefused"
)

// work runs handlers, one message after the other (Push mode).
func (c *Consumer) work() {
	for {
		t, ok := c.dispatch.take()
		if !ok {
			return
		}
		c.cfg.Observer.Started()
		c.conclude(t, c.handle(t))
	}
}

// handle calls the handler, unless the message cannot be read.
func (c *Consumer) handle(t task) (o outcome.Outcome) {
	if t.message.Err != nil {
		return outcome.Kill(Undecodable, t.message.Err.Error())
	}
	defer func() {
		if p := recover(); p != nil {
			c.cfg.Log.Error("handler panicked", "panic", fmt.Sprint(p), "queue", t.queue.id.String(), "offset", t.message.Offset, "stack", string(debug.Stack()))
			o = outcome.RetryLater(0, HandlerPanic, "")
		}
	}()
	return c.cfg.Handler.Handle(t.queue.ctx, t.message)
}

// conclude does with a message what its outcome says, and gives the task back.
func (c *Consumer) conclude(t task, o outcome.Outcome) {
	if o.Kind == outcome.Park && o.Resume == nil || o.Kind < outcome.Done || o.Kind > outcome.Park {
		c.cfg.Log.Error("handler returned no valid outcome", "kind", o.Kind.String())
		o = outcome.RetryLater(0, InvalidOutcome, "")
	}
	v := c.act(t, o)
	c.dispatch.settle(t, v, o)
	if v != abandoned {
		c.cfg.Observer.Finished(o.Kind, o.Reason, time.Since(t.started))
	}
}

func (c *Consumer) act(t task, o outcome.Outcome) verdict {
	if o.Kind == outcome.Done {
		return passed
	}
	if t.queue.ctx.Err() != nil { // cut short by us: says nothing about the message
		return abandoned
	}
	switch o.Kind {
	case outcome.Park:
		return parked
	case outcome.Retry:
		return c.sendBack(t, o)
	default:
		return c.bury(t, o)
	}
}

// attempt repeats a call to the message's broker until it succeeds. False: the queue is not ours any more, and whoever has it gets the message again.
// failed is told of each failure and may end the attempts by returning false.
func (c *Consumer) attempt(t task, call func() error, failed func(error) bool) bool {
	var pause backoff
	for c.dispatch.holds(t.queue) && t.queue.ctx.Err() == nil {
		err := call()
		if err == nil {
			return true
		}
		if !failed(err) {
			return false
		}
		pause.wait(t.queue.ctx)
	}
	return false
}

// where are the attributes that lead to a message in logs.
func where(m *rocketmq.Message) []any {
	return []any{"queue", m.Queue.String(), "offset", m.Offset, "reconsumed", m.Reconsumed}
}
