// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// scope names this instrumentation.
const scope = "github.com/orderflow-dev/orderflow/runtime/tracing"

// Messages makes a span of each handling of a message by next, of a group that reads the topic.
func Messages(next consumer.Handler, spans trace.TracerProvider, group, topic string) consumer.Handler {
	return &handler{next: next, tracer: spans.Tracer(scope), name: "process " + topic, attributes: trace.WithAttributes(
		semconv.MessagingSystemRocketMQ,
		semconv.MessagingOperationName("process"),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingDestinationName(topic),
		semconv.MessagingConsumerGroupName(group),
	)}
}

type handler struct {
	next       consumer.Handler
	tracer     trace.Tracer
	name       string
	attributes trace.SpanStartEventOption
}

// Handle implements consumer.Handler.
func (h *handler) Handle(ctx context.Context, raw *rocketmq.Message) outcome.Outcome {
	ctx = propagation.TraceContext{}.Extract(ctx, properties{raw})
	ctx, span := h.tracer.Start(ctx, h.name, trace.WithSpanKind(trace.SpanKindConsumer), h.attributes)
	defer span.End()
	o := h.next.Handle(ctx, raw)
	if span.IsRecording() {
		describe(span, raw, o)
	}
	return o
}

// describe says what became of the message. That a third party is down, or that a message came too late, is no error of this span's.
func describe(span trace.Span, raw *rocketmq.Message, o outcome.Outcome) {
	m := message.New(raw)
	span.SetAttributes(
		semconv.MessagingMessageID(m.ID()),
		attribute.Int("orderflow.attempt", m.Attempt()),
		attribute.String("orderflow.outcome", o.Kind.String()),
	)
	if o.Reason != "" {
		span.SetAttributes(attribute.String("orderflow.reason", string(o.Reason)))
	}
	if o.Kind == outcome.Retry || o.Kind == outcome.Dead {
		span.SetAttributes(semconv.ErrorTypeKey.String(string(o.Reason)))
		span.SetStatus(codes.Error, string(o.Reason))
	}
}

// properties are a message's, as the sender's context is read from them.
type properties struct{ message *rocketmq.Message }

// Get implements propagation.TextMapCarrier.
func (p properties) Get(name string) string { return p.message.Property(name) }

// Set implements propagation.TextMapCarrier; a message that was received does not change.
func (properties) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (p properties) Keys() (names []string) {
	for name := range p.message.Properties() {
		names = append(names, name)
	}
	return names
}
