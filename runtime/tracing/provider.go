// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
)

// flushTime bounds how long a process that ends tries to hand over its last spans.
const flushTime = 2 * time.Second

// FromEnvironment returns what makes spans and sends them over OTLP, as OpenTelemetry's variables say: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and
// so on. It is nil where they name no collector. A collector that is away costs spans, nothing else. End takes leave of it.
func FromEnvironment(ctx context.Context, log *slog.Logger) (spans *trace.TracerProvider, end func(), err error) {
	off, _ := strconv.ParseBool(os.Getenv("OTEL_SDK_DISABLED")) // what is no boolean is false, the specification says
	if off || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("set up the export of traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are not exported", "error", err) }))
	spans = trace.NewTracerProvider(trace.WithBatcher(exporter))
	return spans, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		if err := spans.Shutdown(ctx); err != nil {
			log.Warn("the last traces are not exported", "error", err)
		}
	}, nil
}
