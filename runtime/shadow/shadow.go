// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shadow

import (
	"context"
	"log/slog"
	"net/url"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/handler"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Shadowed is Done: every request the message makes was logged, and none was sent.
const Shadowed outcome.Reason = "Shadowed"

// Callers log what the structure's adapters would be asked.
func Callers(s worker.Structure, log *slog.Logger) map[string]handler.Caller {
	callers := map[string]handler.Caller{}
	for _, spec := range s.Adapters {
		callers[spec.Name] = &caller{spec: spec, log: log}
	}
	return callers
}

type caller struct {
	spec worker.Adapter
	log  *slog.Logger
}

// Call implements handler.Caller.
func (c *caller) Call(ctx context.Context, r adapter.Request) outcome.Outcome {
	target := r.Path
	if r.PathMapped {
		target = redactedPath(r.Path)
	}
	var host, base string
	if u, err := url.Parse(c.spec.URL); err == nil { // the operator and adapter.New refuse what cannot be parsed
		host, base = u.Host, u.Path
	}
	c.log.InfoContext(ctx, "request not sent: shadow", "adapter", c.spec.Name, "step", r.Step, "method", r.Method, "host", host, "path", base+target,
		"headers", adapter.HeaderNames(ctx, c.spec, r), "idempotencyKey", r.Key, "body", redacted(r.Body))
	return outcome.Outcome{Kind: outcome.Done, Reason: Shadowed}
}

// Messages lets messages pass whatever next says of them. Park says that we were stopped before it was known.
func Messages(next consumer.Handler, log *slog.Logger) consumer.Handler {
	return &messages{next: next, log: log}
}

type messages struct {
	next consumer.Handler
	log  *slog.Logger
}

// Handle implements consumer.Handler.
func (h *messages) Handle(ctx context.Context, raw *rocketmq.Message) outcome.Outcome {
	o := h.next.Handle(ctx, raw)
	if o.Kind == outcome.Done || o.Kind == outcome.Park {
		return o
	}
	h.log.WarnContext(ctx, "message passed: shadow", "wouldBe", o.Kind.String(), "reason", o.Reason, "detail", o.Detail, "messageId", message.New(raw).ID())
	return outcome.Outcome{Kind: outcome.Done, Reason: o.Reason}
}

// OrderKey is key, nil for none, where no message is lost to it: one whose key cannot be told is logged, and handled as one without.
func OrderKey(key func(*rocketmq.Message) (string, error), log *slog.Logger) func(*rocketmq.Message) (string, error) {
	if key == nil {
		return nil
	}
	return func(raw *rocketmq.Message) (string, error) {
		k, err := key(raw)
		if err != nil {
			log.Warn("message passed: shadow", "wouldBe", outcome.Dead.String(), "reason", consumer.OrderKeyFailed, "detail", err.Error(), "messageId", message.New(raw).ID())
		}
		return k, nil
	}
}
