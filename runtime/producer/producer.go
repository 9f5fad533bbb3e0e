// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

// What a Producer takes and answers is defined where it is sent.
type (
	// Message is one message for the binding's topic.
	Message = rocketmq.Message
	// Delay says when consumers see a message.
	Delay = rocketmq.Delay
	// Receipt is the broker's confirmation.
	Receipt = rocketmq.Receipt
	// SendError is every error of sending; its Fate says what became of the message.
	SendError = rocketmq.SendError
)

// Config is what a Producer needs.
type Config struct {
	Binding Binding
	// MaxPending and MaxPendingBytes bound what waits for the broker; defaults as in rocketmq.Config.
	MaxPending, MaxPendingBytes int
	// Tracer makes the spans of sends. Default: OpenTelemetry's global one. Without an SDK there are none, and the trace context of
	// the caller's ctx travels with the message all the same.
	Tracer trace.TracerProvider
	// Logger defaults to slog's default logger. No message content is ever logged.
	Logger *slog.Logger
}

// Producer sends to the binding's topic. It is safe for concurrent use; one per process is enough.
type Producer struct {
	client  *rocketmq.Client
	binding Binding
	tracing *tracing
}

// New makes a Producer and returns without waiting for the cluster: an order system starts while its broker is down.
func New(cfg Config) (*Producer, error) {
	client, err := rocketmq.New(rocketmq.Config{
		NameServers:     cfg.Binding.NameServers,
		Topic:           cfg.Binding.Topic,
		Group:           cfg.Binding.Group,
		SendTimeout:     cfg.Binding.SendTimeout,
		MaxPending:      cfg.MaxPending,
		MaxPendingBytes: cfg.MaxPendingBytes,
		OrderQueues:     cfg.Binding.OrderQueues,
		Credentials:     cfg.Binding.Credentials,
		Logger:          cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	return &Producer{client: client, binding: cfg.Binding, tracing: newTracing(cfg.Tracer, cfg.Binding.Topic, cfg.Binding.Group)}, nil
}

// Mode is the binding's.
func (p *Producer) Mode() Mode { return p.binding.Mode }

// NewID makes an ID for a message that may be sent more than once.
func (p *Producer) NewID() string { return p.client.NewID() }

// WaitReady waits until the topic was located; the error says what is missing.
func (p *Producer) WaitReady(ctx context.Context) error { return p.client.WaitReady(ctx) }

// Close waits for what was accepted, at most about the send timeout, and disconnects.
func (p *Producer) Close() { p.client.Close() }

// sendSlack is longer than the client's own, whose answer says more.
const sendSlack = 500 * time.Millisecond

// Send sends and waits for the broker's confirmation. It also waits, within the same send timeout, for the topic to be
// located. The error is a *SendError; when ctx ended its fate is Unknown, as the message may be on its way.
func (p *Producer) Send(ctx context.Context, msg Message) (receipt Receipt, err error) {
	ctx, msg, span := p.begin(ctx, msg)
	defer func() { finish(span, err) }()
	// The time it takes to locate the topic is not given again.
	over := time.NewTimer(p.binding.SendTimeout + sendSlack)
	defer over.Stop()
	readyCtx, cancel := context.WithTimeout(ctx, p.binding.SendTimeout)
	defer cancel()
	if err := p.client.WaitReady(readyCtx); err != nil {
		return Receipt{}, &SendError{Fate: rocketmq.Unsent, Err: errors.Join(err, ctx.Err())}
	}
	type answer struct {
		receipt Receipt
		err     error
	}
	answers := make(chan answer, 1)
	if err := p.client.Send(ctx, msg, func(r Receipt, err error) { answers <- answer{r, err} }); err != nil {
		return Receipt{}, err
	}
	select {
	case a := <-answers:
		return a.receipt, a.err
	case <-over.C:
		return Receipt{}, &SendError{Fate: rocketmq.Unknown, Err: rocketmq.ErrTimeout}
	case <-ctx.Done():
		return Receipt{}, &SendError{Fate: rocketmq.Unknown, Err: ctx.Err()}
	}
}

// Callback is told how an asynchronous send ended: one of its functions is called, once, on another goroutine. Both are
// required and should return quickly.
type Callback struct {
	OnSuccess func(Receipt)
	// OnError gets a *SendError.
	OnError func(error)
}

// SendAsync hands the message over and returns. When it returns nil, cb is called exactly once; when it returns an error,
// a *SendError, never. The end of ctx after the return does not take the message back. A message with an OrderKey is not
// tried again: what waits behind it has failed with it, and only the sender knows the order of all.
func (p *Producer) SendAsync(ctx context.Context, msg Message, cb Callback) error {
	if cb.OnSuccess == nil || cb.OnError == nil {
		return &SendError{Fate: rocketmq.Unsent, Err: errors.New("an asynchronous send needs both callbacks, or a failure would be silent")}
	}
	ctx, msg, span := p.begin(ctx, msg)
	cb = traced(cb, span)
	retries := p.binding.AsyncRetries
	if msg.OrderKey != "" {
		retries = 0
	}
	err := p.sendAsync(context.WithoutCancel(ctx), msg, cb, retries)
	if err != nil {
		finish(span, err)
	}
	return err
}

// traced ends the span before the caller is told.
func traced(cb Callback, span trace.Span) Callback {
	return Callback{
		OnSuccess: func(r Receipt) { finish(span, nil); cb.OnSuccess(r) },
		OnError:   func(err error) { finish(span, err); cb.OnError(err) },
	}
}

func (p *Producer) sendAsync(ctx context.Context, msg Message, cb Callback, retries int) error {
	return p.client.Send(ctx, msg, func(r Receipt, err error) {
		if err == nil {
			cb.OnSuccess(r)
			return
		}
		if sendErr := new(SendError); errors.As(err, &sendErr) && sendErr.Permanent() || retries == 0 {
			cb.OnError(err)
			return
		}
		if again := p.sendAsync(ctx, msg, cb, retries-1); again != nil {
			// Not even taken: what became of the earlier attempt is what counts.
			cb.OnError(err)
		}
	})
}

// SendOneway sends without an answer. Its *SendError is only what is known here; nil does not mean that the broker has
// the message.
func (p *Producer) SendOneway(ctx context.Context, msg Message) error {
	ctx, msg, span := p.begin(ctx, msg)
	err := p.client.SendOneway(ctx, msg)
	finish(span, err)
	return err
}

// begin gives the message an ID, if it has none, and a span.
func (p *Producer) begin(ctx context.Context, msg Message) (context.Context, Message, trace.Span) {
	if msg.ID == "" {
		msg.ID = p.NewID()
	}
	return p.tracing.begin(ctx, msg)
}
