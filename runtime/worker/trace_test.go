// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"slices"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/orderflow-dev/orderflow/runtime/producer"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// TestATraceLeadsFromThePaymentToTheThirdParty sends an order inside a span, and looks for the spans of the worker that handled it.
func TestATraceLeadsFromThePaymentToTheThirdParty(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	nameServer := broker.Shared(t).NameServer()
	shop, sms := newShop(t, nameServer, nil), newProvider(t)
	structure := structureFor(sms.server.URL)
	structure.NameServers, structure.Topic, structure.Group = []string{nameServer}, shop.topic, shop.group
	structure.PrivateNetworks = []string{sms.addr.String() + "/32"}
	f := newFiles(t, structure, liveFor("r1", nil))
	f.Spans = provider
	start(t, f)

	p, err := producer.New(producer.Config{Tracer: provider, Binding: producer.Binding{
		NameServers: []string{nameServer}, Topic: shop.topic, Group: broker.Name(t, "producers"), Mode: producer.Sync, SendTimeout: time.Minute,
	}})
	shop.must(err)
	t.Cleanup(p.Close)
	ctx, paying := provider.Tracer("shop").Start(context.Background(), "pay")
	_, err = p.Send(ctx, producer.Message{ID: "U1", Body: []byte(paid(1))})
	shop.must(err)
	paying.End()

	var trail []sdk.ReadOnlySpan
	eventually(t, "the spans of sending, handling and asking", func() bool {
		trail = spans.Ended()
		return len(trail) == 4
	})
	parent := paying.SpanContext()
	for _, want := range []struct {
		name string
		kind trace.SpanKind
	}{{"send " + shop.topic, trace.SpanKindProducer}, {"process " + shop.topic, trace.SpanKindConsumer}, {"POST sms", trace.SpanKindClient}} {
		i := slices.IndexFunc(trail, func(s sdk.ReadOnlySpan) bool { return s.Name() == want.name })
		if i < 0 {
			t.Fatalf("no span is named %q", want.name)
		}
		s := trail[i]
		if s.SpanKind() != want.kind || s.Parent().SpanID() != parent.SpanID() || s.SpanContext().TraceID() != paying.SpanContext().TraceID() {
			t.Errorf("%q is a %v of trace %v below %v, want it below %v", s.Name(), s.SpanKind(), s.SpanContext().TraceID(), s.Parent().SpanID(), parent.SpanID())
		}
		parent = s.SpanContext()
	}
	if got, want := sms.traces(), "00-"+parent.TraceID().String()+"-"+parent.SpanID().String()+"-01"; len(got) != 1 || got[0] != want {
		t.Errorf("the third party was given %q, want %q", got, want)
	}
}
