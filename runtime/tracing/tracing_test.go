// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	phone  = "+8613800000000"
	traced = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// handle makes one request through transport and ends as it is told.
type handle func(context.Context) outcome.Outcome

func (h handle) Handle(ctx context.Context, _ *rocketmq.Message) outcome.Outcome { return h(ctx) }

func paid(t *testing.T, context string) *rocketmq.Message {
	t.Helper()
	m := &rocketmq.Message{Topic: "Orders", Body: []byte(`{"phone":"` + phone + `"}`), Reconsumed: 2}
	properties := rocketmq.Fields{{Name: rocketmq.PropertyUniqueKey, Value: "U1"}, {Name: rocketmq.PropertyKeys, Value: "order-1"}}
	if context != "" {
		properties = append(properties, rocketmq.Field{Name: "traceparent", Value: context})
	}
	set(t, m, properties)
	return m
}

func set(tb testing.TB, m *rocketmq.Message, properties rocketmq.Fields) {
	tb.Helper()
	encoded, err := rocketmq.EncodeProperties(properties)
	if err != nil {
		tb.Fatal(err)
	}
	m.SetProperties(encoded)
}

func recorder(t *testing.T, sampler sdk.Sampler) (*tracetest.SpanRecorder, trace.TracerProvider) {
	t.Helper()
	r := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(r), sdk.WithSampler(sampler))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return r, provider
}

// thirdParty answers, and remembers the context it was given.
func thirdParty(t *testing.T, status int) (url string, given *string) {
	t.Helper()
	given = new(string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*given = r.Header.Get("traceparent") + r.Header.Get("baggage")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(server.Close)
	return server.URL, given
}

// call makes one request of adapter sms whose path, query and header hold what no span may.
func call(ctx context.Context, t *testing.T, spans trace.TracerProvider, url string) error {
	t.Helper()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/"+phone+"?token=s3cr3t", strings.NewReader(phone))
	if err != nil {
		t.Fatal(err)
	}
	response, err := Requests(base, spans, "sms", url).RoundTrip(request)
	if request.Header.Get("traceparent") != "" {
		t.Error("the caller's request was changed")
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close())
}

func TestATraceLeadsFromTheSenderToTheThirdParty(t *testing.T) {
	ended, spans := recorder(t, sdk.AlwaysSample())
	url, given := thirdParty(t, http.StatusOK)
	next := handle(func(ctx context.Context) outcome.Outcome {
		if err := call(ctx, t, spans, url); err != nil {
			t.Error(err)
		}
		return outcome.Succeed()
	})
	Messages(next, spans, "push", "Orders").Handle(t.Context(), paid(t, traced))

	if n := len(ended.Ended()); n != 2 {
		t.Fatalf("%d spans, want 2", n)
	}
	request, message := ended.Ended()[0], ended.Ended()[1]
	sender := trace.SpanContextFromContext(t.Context())
	if sender.IsValid() {
		t.Fatal("the test itself is traced")
	}
	if got := message.Parent(); got.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || got.SpanID().String() != "00f067aa0ba902b7" || !got.IsRemote() {
		t.Errorf("the message's parent is %v", got)
	}
	if message.Name() != "process Orders" || message.SpanKind() != trace.SpanKindConsumer {
		t.Errorf("the message's span is a %v named %q", message.SpanKind(), message.Name())
	}
	if request.Name() != "POST sms" || request.SpanKind() != trace.SpanKindClient || request.Parent().SpanID() != message.SpanContext().SpanID() {
		t.Errorf("the request's span is a %v named %q below %v", request.SpanKind(), request.Name(), request.Parent().SpanID())
	}
	own := request.SpanContext()
	if want := "00-" + own.TraceID().String() + "-" + own.SpanID().String() + "-01"; *given != want {
		t.Errorf("the third party was given %q, want %q", *given, want)
	}
	text := said(message) + said(request)
	for _, want := range []string{"messaging.system=rocketmq", "messaging.message.id=U1", "messaging.destination.name=Orders", "messaging.consumer.group.name=push",
		"messaging.operation.type=process", "orderflow.attempt=3", "orderflow.outcome=done", "http.request.method=POST", "http.response.status_code=200", "orderflow.adapter=sms", "server.address=127.0.0.1"} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	for _, canary := range []string{phone, "s3cr3t", "order-1", "token"} {
		if strings.Contains(text, canary) {
			t.Errorf("%q is in\n%s", canary, text)
		}
	}
}

// said is all that leaves the process of a span's own.
func said(s sdk.ReadOnlySpan) string {
	text := s.Name() + "\n" + s.Status().Description + "\n"
	for _, a := range s.Attributes() {
		text += string(a.Key) + "=" + a.Value.String() + "\n"
	}
	for _, e := range s.Events() {
		text += fmt.Sprintln(e.Name, e.Attributes)
	}
	return text
}

func TestTheSendersDecisionToSampleHolds(t *testing.T) {
	for _, test := range []struct {
		context string
		root    sdk.Sampler
		want    int
	}{
		{strings.TrimSuffix(traced, "01") + "00", sdk.AlwaysSample(), 0},
		{traced, sdk.NeverSample(), 2},
		{"", sdk.NeverSample(), 0},
		{"", sdk.AlwaysSample(), 2},
		{"garbage", sdk.AlwaysSample(), 2},
	} {
		ended, spans := recorder(t, sdk.ParentBased(test.root))
		url, _ := thirdParty(t, http.StatusOK)
		next := handle(func(ctx context.Context) outcome.Outcome {
			_ = call(ctx, t, spans, url)
			return outcome.Succeed()
		})
		Messages(next, spans, "push", "Orders").Handle(t.Context(), paid(t, test.context))
		if got := len(ended.Ended()); got != test.want {
			t.Errorf("%q: %d spans, want %d", test.context, got, test.want)
		}
	}
}

func TestFailuresAreSaidByTheirClass(t *testing.T) {
	gone, _ := thirdParty(t, http.StatusServiceUnavailable)
	for _, test := range []struct {
		url  string
		want string
	}{{gone, "503"}, {"http://127.0.0.1:1", "connection"}} {
		ended, spans := recorder(t, sdk.AlwaysSample())
		next := handle(func(ctx context.Context) outcome.Outcome {
			_ = call(ctx, t, spans, test.url)
			return outcome.RetryLater(0, "ServerError", "detail "+phone)
		})
		Messages(next, spans, "push", "Orders").Handle(t.Context(), paid(t, ""))
		if n := len(ended.Ended()); n != 2 {
			t.Fatalf("%s: %d spans, want 2", test.url, n)
		}
		for i, want := range []string{test.want, "ServerError"} {
			s := ended.Ended()[i]
			if s.Status().Code != codes.Error || s.Status().Description != want || strings.Contains(said(s), phone) {
				t.Errorf("%s: got %v\n%s", test.url, s.Status(), said(s))
			}
		}
	}
}

func TestParkIsNoError(t *testing.T) {
	ended, spans := recorder(t, sdk.AlwaysSample())
	next := handle(func(context.Context) outcome.Outcome { return outcome.ParkUntil(nil, "CircuitOpen", "") })
	Messages(next, spans, "push", "Orders").Handle(t.Context(), paid(t, ""))
	s := ended.Ended()[0]
	if set := attribute.NewSet(s.Attributes()...); s.Status().Code != codes.Unset || !set.HasValue("orderflow.reason") {
		t.Errorf("got %v\n%s", s.Status(), said(s))
	}
}

// BenchmarkUnsampled is what a message and its request cost beside their work when the sender's decision was not to sample.
func BenchmarkUnsampled(b *testing.B) {
	provider := sdk.NewTracerProvider(sdk.WithSampler(sdk.ParentBased(sdk.NeverSample())))
	h := Messages(handle(func(context.Context) outcome.Outcome { return outcome.Succeed() }), provider, "push", "Orders")
	m := &rocketmq.Message{}
	set(b, m, rocketmq.Fields{{Name: "traceparent", Value: strings.TrimSuffix(traced, "01") + "00"}})
	b.ReportAllocs()
	for b.Loop() {
		h.Handle(b.Context(), m)
	}
}
