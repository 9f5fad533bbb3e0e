// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"errors"
	"maps"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracing makes a span of each send and writes the W3C trace context into the message's properties, traceparent and tracestate:
// what consumers do is part of the trace that paid the order.
type tracing struct {
	tracer     trace.Tracer
	attributes trace.SpanStartOption
	name       string
}

// w3c writes and reads the trace context.
var w3c propagation.TraceContext //nolint:gochecknoglobals // has no state

func newTracing(provider trace.TracerProvider, topic, group string) *tracing {
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	return &tracing{
		tracer: provider.Tracer("github.com/orderflow-dev/orderflow/runtime/producer"),
		// Names of the semantic conventions for messaging. No keys: they name orders.
		attributes: trace.WithAttributes(
			attribute.String("messaging.system", "rocketmq"),
			attribute.String("messaging.operation.name", "send"),
			attribute.String("messaging.operation.type", "send"),
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.client.group", group),
		),
		name: "send " + topic,
	}
}

// begin starts the span of a message and answers the message that carries it. The parent is the caller's span; without one, the
// span the message already carries, as one from an outbox does.
func (t *tracing) begin(ctx context.Context, msg Message) (context.Context, Message, trace.Span) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = w3c.Extract(ctx, propagation.MapCarrier(msg.Properties))
	}
	ctx, span := t.tracer.Start(ctx, t.name, trace.WithSpanKind(trace.SpanKindProducer), t.attributes)
	if span.IsRecording() {
		span.SetAttributes(attribute.String("messaging.message.id", msg.ID), attribute.Int("messaging.message.body.size", len(msg.Body)))
	}
	return ctx, carrying(ctx, msg), span
}

// carrying answers the message with the trace context of ctx among its properties.
func carrying(ctx context.Context, msg Message) Message {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return msg
	}
	properties := make(map[string]string, len(msg.Properties)+len(w3c.Fields()))
	maps.Copy(properties, msg.Properties) // the caller's own map stays as it is
	for _, field := range w3c.Fields() {
		delete(properties, field)
	}
	w3c.Inject(ctx, propagation.MapCarrier(properties))
	msg.Properties = properties
	return msg
}

// finish ends the span. An error's text may name an order's key, so only its kind is told.
func finish(span trace.Span, err error) {
	defer span.End()
	if err == nil {
		return
	}
	kind := "error"
	if sendErr := new(SendError); errors.As(err, &sendErr) {
		kind = sendErr.Fate.String()
		if sendErr.Code != 0 {
			span.SetAttributes(attribute.Int("messaging.rocketmq.response_code", sendErr.Code))
		}
	}
	span.SetAttributes(attribute.String("error.type", kind))
	span.SetStatus(codes.Error, "message "+kind)
}
