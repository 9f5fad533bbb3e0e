// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/journal"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// The reasons this package gives by itself.
const (
	// Undecodable: the message as stored, or its compressed body, cannot be read. Its dead letter holds the raw bytes.
	Undecodable outcome.Reason = "Undecodable"
	// OrderKeyFailed: the order key cannot be told.
	OrderKeyFailed outcome.Reason = "OrderKeyFailed"
	// HandlerPanic: the handler did not return.
	HandlerPanic outcome.Reason = "HandlerPanic"
	// InvalidOutcome: the handler returned no outcome.
	InvalidOutcome outcome.Reason = "InvalidOutcome"
	// MessageDeleted: the broker deleted the message before it could be sent back to it for another attempt. Its detail says why that was wanted.
	MessageDeleted outcome.Reason = "MessageDeleted"
	// DeadLetterRefused: a dead letter cannot be written, so that nothing further is started.
	DeadLetterRefused outcome.Reason = worker.ReasonDeadLetterRefused
)

// work runs handlers, one message after the other (Push mode).
func (c *Consumer) work() {
	for t, ok := c.dispatch.take(); ok; {
		o := c.handle(&t)
		o, v := c.judge(t, o)
		ended := t
		t, ok = c.dispatch.exchange(ended, v, o)
		c.finished(ended, o, v)
		if !ok {
			t, ok = c.dispatch.take()
		}
	}
}

// handle calls the handler, unless the message is unfit.
func (c *Consumer) handle(t *task) outcome.Outcome {
	if o, unfit := c.unfit(t); unfit {
		return o
	}
	return c.invoke(*t)
}

// unfit reports whether a message must not be handled now, and what becomes of it then.
func (c *Consumer) unfit(t *task) (o outcome.Outcome, unfit bool) {
	switch {
	case t.message.Err != nil:
		c.cfg.Log.Warn("message cannot be decoded", append(where(t.message), "error", t.message.Err)...)
		return outcome.Kill(Undecodable, t.message.Err.Error()), true
	case t.deaths >= journal.Deadly:
		return outcome.Spare(CrashLoop, fmt.Sprintf("the worker's process died %d times while it handled this message, the last times while it handled nothing else", journal.Deadly)), true
	case t.flaw != nil:
		c.cfg.Log.Warn("the order key cannot be told", append(where(t.message), "error", t.flaw)...)
		return outcome.Spare(OrderKeyFailed, t.flaw.Error()), true
	case t.deaths == journal.Deadly-1:
		return c.venture(t)
	}
	return o, false
}

// invoke calls the handler.
func (c *Consumer) invoke(t task) (o outcome.Outcome) {
	defer func() { // only the type: the value may hold data of the order
		if p := recover(); p != nil {
			c.cfg.Log.Error("handler panicked", append(where(t.message), "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))...)
			o = outcome.RetryLater(0, HandlerPanic, "")
		}
	}()
	return c.cfg.Handler.Handle(t.queue.ctx, t.message)
}

// conclude does with a message what its outcome says, and gives the task back.
func (c *Consumer) conclude(t task, o outcome.Outcome) {
	o, v := c.judge(t, o)
	c.dispatch.settle(t, v, o)
	c.finished(t, o, v)
}

// judge does at the broker what the outcome says, and tells what became of the message. The outcome is another where the handler's cannot be.
func (c *Consumer) judge(t task, o outcome.Outcome) (outcome.Outcome, verdict) {
	if o.Kind == outcome.Park && o.Resume == nil || o.Kind < outcome.Done || o.Kind > outcome.Park {
		c.cfg.Log.Error("handler returned no valid outcome", "kind", o.Kind.String())
		o = outcome.RetryLater(0, InvalidOutcome, "")
	}
	if o.Kind == outcome.Retry && c.cfg.OrderKey != nil && t.message.Reconsumed >= c.maxReconsume() {
		o = outcome.Kill(o.Reason, o.Detail) // no plan has ended it, and its lane would stand for ever
	}
	if v := c.unmark(t); v != passed {
		o.Uncalled = o.Uncalled || o.Kind == outcome.Park // what parks next closes the gate
		return o, v
	}
	return o, c.act(t, o)
}

// finished tells the observer of a message that was taken back, or goes on aside with one whose end its broker could not be told.
func (c *Consumer) finished(t task, o outcome.Outcome, v verdict) {
	switch v {
	case abandoned:
	case deferred:
		t.aside = true
		c.tasks.Go(func() { c.conclude(t, o) })
	default:
		c.cfg.Observer.Finished(o.Kind, o.Reason)
	}
}

// act does what the outcome says. Of a message that we cut short, a retry or a park says nothing; but a call that may have had its effect may have been
// the last one allowed, and whoever has the queue next would make it again.
func (c *Consumer) act(t task, o outcome.Outcome) verdict {
	cut := t.queue.ctx.Err() != nil
	final := o.Kind == outcome.Dead || o.Kind == outcome.Expired
	switch {
	case o.Kind == outcome.Done:
		return passed
	case cut && !final:
		return abandoned
	case o.Kind == outcome.Park:
		return c.stay(t, o)
	case c.broadcasts():
		return c.drop(t, o)
	case o.Kind == outcome.Retry && c.cfg.OrderKey == nil:
		return c.sendBack(t, o)
	case o.Kind == outcome.Retry:
		return rested
	default:
		return c.bury(t, o)
	}
}

// stay is what becomes of a message that is parked: one that nobody was called for waits aside for a moment, and closes no gate.
func (c *Consumer) stay(t task, o outcome.Outcome) verdict {
	switch {
	case o.Uncalled && !t.aside:
		return deferred
	case o.Uncalled:
		sleep(t.queue.ctx, markPause)
		return fenced
	case !c.dispatch.covers(t.queue):
		return fenced
	}
	return parked
}

// attempt makes a call to the message's broker; failed is told of each failure. It is made while the queue is certainly ours: later, the message may have been another's.
// Where it cannot be made, or fails, it is deferred, so that no hand waits for a broker; aside it is repeated until it succeeds, which is passed. Abandoned, the queue is not
// ours any more, or the time is up, after one more attempt, and whoever has it next gets the message again. Who leaves does not wait for a broker that is away.
func (c *Consumer) attempt(t task, call func() error, failed func(error)) verdict {
	var pause backoff
	for away := time.Now(); c.dispatch.holds(t.queue); pause.wait(t.queue.ctx) {
		last := t.queue.ctx.Err() != nil
		if c.dispatch.covers(t.queue) {
			err := call()
			if err == nil {
				return passed
			}
			failed(err)
			away = time.Now()
		}
		switch {
		case last, c.run.Err() != nil && time.Since(away) > callTimeout:
			return abandoned
		case !t.aside:
			return deferred
		}
	}
	return abandoned
}

// where are the attributes that lead to a message in logs.
func where(m *rocketmq.Message) []any {
	return []any{"queue", m.Queue.String(), "offset", m.Offset, "reconsumed", m.Reconsumed}
}
