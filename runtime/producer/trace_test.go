// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// recorder keeps the spans of a provider of its own.
func recorder(t *testing.T) (*tracetest.SpanRecorder, *sdk.TracerProvider) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	return spans, sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
}

func TestAMessageCarriesTheSpanOfItsSend(t *testing.T) {
	mq := broker.Shared(t)
	spans, provider := recorder(t)
	topic := rocketmqtest.NewTopic(t, mq)
	p, err := New(Config{Tracer: provider, Binding: Binding{
		NameServers: []string{mq.NameServer()}, Topic: topic, Group: broker.Name(t, "producers"), Mode: Sync, SendTimeout: time.Minute,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	ctx, paying := provider.Tracer("shop").Start(t.Context(), "pay")
	own := map[string]string{"own": "kept", "traceparent": "stale"}
	if _, err := p.Send(ctx, Message{ID: "sync", Properties: own, Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	err = p.SendAsync(ctx, Message{ID: "async", Body: []byte("x")}, Callback{OnSuccess: func(Receipt) { done <- nil }, OnError: func(err error) { done <- err }})
	if err == nil {
		err = <-done
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SendOneway(ctx, Message{ID: "oneway", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(rocketmqtest.Messages(t, mq, topic)) < 3 && time.Now().Before(deadline); {
	}
	carried := map[string]string{}
	for _, m := range rocketmqtest.Messages(t, mq, topic) {
		carried[m.Property("UNIQ_KEY")] = m.Property("traceparent")
		if m.Property("UNIQ_KEY") == "sync" && m.Property("own") != "kept" {
			t.Error("the sender's own property is gone")
		}
	}
	if own["traceparent"] != "stale" {
		t.Error("the sender's own map was written to")
	}
	for _, span := range spans.Ended() {
		var id string
		for _, a := range span.Attributes() {
			if a.Key == "messaging.message.id" {
				id = a.Value.AsString()
			}
		}
		if want := fmt.Sprintf("00-%s-%s-01", span.SpanContext().TraceID(), span.SpanContext().SpanID()); carried[id] != want {
			t.Errorf("message %q carries %q, want its span %s", id, carried[id], want)
		}
		if span.Parent().SpanID() != paying.SpanContext().SpanID() || span.SpanKind() != trace.SpanKindProducer || span.Name() != "send "+topic {
			t.Errorf("span %q of kind %v has the parent %v", span.Name(), span.SpanKind(), span.Parent().SpanID())
		}
	}
	if n := len(spans.Ended()); n != 3 {
		t.Errorf("%d spans ended, want one for each send", n)
	}
}

func TestASpanSaysThatASendFailedAndNothingOfTheOrder(t *testing.T) {
	spans, provider := recorder(t)
	p, err := New(Config{Tracer: provider, Binding: deadBinding(time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	msg := Message{Keys: []string{"canary key"}, Body: []byte("canary")}
	never := Callback{OnSuccess: func(Receipt) { t.Error("OnSuccess called") }, OnError: func(error) { t.Error("OnError called") }}
	if _, err := p.Send(t.Context(), msg); err == nil {
		t.Error("Send: no error")
	}
	if err := p.SendAsync(t.Context(), msg, never); err == nil {
		t.Error("SendAsync: no error")
	}
	if err := p.SendOneway(t.Context(), msg); err == nil {
		t.Error("SendOneway: no error")
	}
	if n := len(spans.Ended()); n != 3 {
		t.Errorf("%d spans ended, want 3", n)
	}
	for _, span := range spans.Ended() {
		if span.Status().Code != codes.Error || span.Status().Description != "message unsent" {
			t.Errorf("status %v, want an error: message unsent", span.Status())
		}
		if said := fmt.Sprint(span.Attributes(), span.Events(), span.Status()); strings.Contains(said, "canary") {
			t.Errorf("the span shows the order: %s", said)
		}
	}
}

func TestTheTraceContextTravelsWithoutASDK(t *testing.T) {
	tracing := newTracing(nil, "T", "g")
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	_, msg, span := tracing.begin(trace.ContextWithSpanContext(t.Context(), parent), Message{Body: []byte("x")})
	finish(span, nil)
	const want = "00-01000000000000000000000000000000-0200000000000000-01"
	if got := msg.Properties["traceparent"]; got != want {
		t.Errorf("traceparent %q, want the caller's %q", got, want)
	}
	// As from an outbox: the relay's context has no span.
	_, again, span := tracing.begin(context.Background(), msg)
	finish(span, nil)
	if got := again.Properties["traceparent"]; got != want {
		t.Errorf("from an outbox: traceparent %q, want %q", got, want)
	}
}
