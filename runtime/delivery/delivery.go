// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/cloudevent"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

const (
	// HandlerPanic is Retry: our own code failed.
	HandlerPanic outcome.Reason = "HandlerPanic"
	// Undecodable is Dead: the body is not the JSON document an order is.
	Undecodable outcome.Reason = "Undecodable"
	// BodyTooLarge is Dead: the body is larger than an order may be.
	BodyTooLarge outcome.Reason = "BodyTooLarge"
	// RetriesExhausted is Dead: the plan is used up. The detail names the last failure.
	RetriesExhausted outcome.Reason = "RetriesExhausted"
	// IdempotencyWindowPassed is Dead: it was attempted before, and is older than a third party remembers keys.
	IdempotencyWindowPassed outcome.Reason = "IdempotencyWindowPassed"
)

// Handler acts on a message whose body is decoded; at is where it was read, and with the message's id the name of this delivery.
type Handler interface {
	Handle(ctx context.Context, m *message.Message, at string) outcome.Outcome
}

// Observer is told of each message, once. Calls come from many goroutines.
type Observer interface {
	// Delivered: a message was handled; busy is how long it took without waiting for limits.
	Delivered(o outcome.Outcome, busy time.Duration)
}

// Config is what a Delivery is made of; all is needed.
type Config struct {
	Handler   Handler
	Structure worker.Structure
	// Clock is the earliest that it can be now, and whether that is certain: if not, nothing expires.
	Clock    func() (now time.Time, certain bool)
	Observer Observer
	Log      *slog.Logger
}

// Delivery is the consumer's handler.
type Delivery struct {
	handler  Handler
	plan     []time.Duration
	window   window
	expiry   expiry
	skips    skips
	observer Observer
	log      *slog.Logger

	mu      sync.Mutex
	running map[*run]struct{}
	totals  Totals        // without InFlight, which is len(running)
	allowed time.Duration // for handling a message
}

// New returns a delivery, or says what is wrong with the expiry's expression.
func New(c Config) (*Delivery, error) {
	expiry, err := newExpiry(c.Structure.Expiry, c.Clock)
	if err != nil {
		return nil, err
	}
	return &Delivery{
		handler:  c.Handler,
		plan:     c.Structure.Plan(),
		window:   narrowest(c.Structure),
		expiry:   expiry,
		observer: c.Observer,
		log:      c.Log,
		running:  map[*run]struct{}{},
	}, nil
}

// Handle returns what is to be done with a message.
func (d *Delivery) Handle(ctx context.Context, raw *rocketmq.Message) outcome.Outcome {
	r := d.begin()
	m := message.New(raw)
	o := d.next(m.Attempt(), d.handle(adapter.WithWaitClock(ctx, &r.clock), m, place(raw)))
	busy := d.end(r, o)
	d.observer.Delivered(o, busy)
	d.tell(m, o)
	return o
}

// place is where a message was read.
func place(raw *rocketmq.Message) string {
	return raw.Queue.String() + ":" + strconv.FormatInt(raw.Offset, 10)
}

func (d *Delivery) handle(ctx context.Context, m *message.Message, at string) (o outcome.Outcome) {
	defer func() {
		if p := recover(); p != nil {
			// What was panicked with may contain values of the order: its type has to do.
			d.log.Error("handler panicked", "messageId", m.ID(), "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			o = outcome.RetryLater(0, HandlerPanic, "a defect of this worker, see its log")
		}
	}()
	if o, is := d.skips.passed(m); is {
		return o
	}
	// By the wall clock alone: the Clock that expiry goes by may be slow, and would let a second effect pass where this makes a dead letter.
	if late := d.window.passed(m, time.Now()); late != "" {
		return outcome.Kill(IdempotencyWindowPassed, late)
	}
	switch err := m.Decode(); {
	case errors.Is(err, expression.ErrTooLarge):
		return outcome.Kill(BodyTooLarge, "the body cannot be an order: "+err.Error())
	case errors.Is(err, cloudevent.ErrUnusable):
		return outcome.Kill(Undecodable, err.Error())
	case err != nil:
		return outcome.Kill(Undecodable, "the body is no JSON document: "+err.Error())
	}
	if late, is := d.expiry.passed(ctx, m); is {
		return late
	}
	return d.handler.Handle(ctx, m, at)
}

// next applies the retry plan to what the handler said of an attempt. What a third party wishes is heard up to the longest of the brokers' delays: one that asks
// for years would keep a message that waits in its place, and its queue's offset, for as long.
func (d *Delivery) next(attempt int, o outcome.Outcome) outcome.Outcome {
	if o.Kind != outcome.Retry {
		return o
	}
	if attempt > len(d.plan) {
		return outcome.Kill(RetriesExhausted, fmt.Sprintf("after attempt %d, %s: %s", attempt, o.Reason, o.Detail))
	}
	o.After = max(min(o.After, slices.Max(worker.DelayLevels())), d.plan[attempt-1])
	return o
}

// tell logs what is not as it should be. Failures matter to someone, and the log sees to it that many of one kind do not fill it; parking and expiry are
// as it should be, and counted.
func (d *Delivery) tell(m *message.Message, o outcome.Outcome) {
	level := slog.LevelDebug
	if o.Kind == outcome.Dead || o.Kind == outcome.Retry {
		level = slog.LevelWarn
	}
	if o.Kind != outcome.Done {
		d.log.Log(context.Background(), level, "message not done", "outcome", o.Kind.String(), "reason", o.Reason, "detail", o.Detail,
			"messageId", m.ID(), "attempt", m.Attempt())
	}
}

// window is for how long after its birth a message may be sent again.
type window struct {
	adapter string
	length  time.Duration // 0: forever
}

// narrowest is the shortest window of the adapters whose memory of keys is all that prevents a second effect. Where there is a status query, the adapter asks.
func narrowest(s worker.Structure) window {
	var w window
	for _, a := range s.Adapters {
		contract := a.Idempotency
		if length := contract.Window.D(); contract.KeysHonoured && !contract.AcceptDuplicates && contract.StatusQuery == nil && length > 0 && (w.length == 0 || length < w.length) {
			w = window{a.Name, length}
		}
	}
	return w
}

// passed says why a message may not be sent again; "" if it may. A message that was never attempted may always be sent.
func (w window) passed(m *message.Message, now time.Time) string {
	if w.length == 0 || m.Attempt() == 1 || now.Sub(m.BornTime()) <= w.length {
		return ""
	}
	return fmt.Sprintf("attempted before, and older than the %v for which adapter %s's third party remembers keys (idempotency.window)", w.length, w.adapter)
}
