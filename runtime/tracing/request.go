// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

// Requests makes a span of each request of an adapter through next, which lasts until the answer's body is closed, and passes its context on.
func Requests(next http.RoundTripper, spans trace.TracerProvider, adapter, adapterURL string) http.RoundTripper {
	attributes := []attribute.KeyValue{attribute.String("orderflow.adapter", adapter)}
	if u, err := url.Parse(adapterURL); err == nil { // New of the adapter refuses what cannot be parsed
		attributes = append(attributes, semconv.ServerAddress(u.Hostname()))
		if port, err := strconv.Atoi(u.Port()); err == nil {
			attributes = append(attributes, semconv.ServerPort(port))
		}
	}
	return &transport{next: next, tracer: spans.Tracer(scope), adapter: adapter, attributes: trace.WithAttributes(attributes...)}
}

type transport struct {
	next       http.RoundTripper
	tracer     trace.Tracer
	adapter    string
	attributes trace.SpanStartEventOption
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(r.Context(), r.Method+" "+t.adapter,
		trace.WithSpanKind(trace.SpanKindClient), t.attributes, trace.WithAttributes(semconv.HTTPRequestMethodKey.String(r.Method)))
	r = r.Clone(ctx) // a RoundTripper leaves the request as it is
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	response, err := t.next.RoundTrip(r)
	if err != nil {
		fail(span, class(err))
		span.End()
		return nil, err
	}
	span.SetAttributes(semconv.HTTPResponseStatusCode(response.StatusCode))
	if response.StatusCode >= http.StatusBadRequest {
		fail(span, strconv.Itoa(response.StatusCode))
	}
	response.Body = &body{ReadCloser: response.Body, span: span}
	return response, nil
}

// body ends the span when it is closed.
type body struct {
	io.ReadCloser

	span trace.Span
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		fail(b.span, class(err))
	}
	return n, err
}

func (b *body) Close() error {
	defer b.span.End()
	return b.ReadCloser.Close()
}

func fail(span trace.Span, what string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(what))
	span.SetStatus(codes.Error, what)
}

// class of an error, without its text. The adapter's reason is on the message's span.
func class(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "connection"
}
