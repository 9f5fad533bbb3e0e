// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWithoutACollectorNothingIsTraced(t *testing.T) {
	for _, variables := range []map[string]string{{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}} {
		t.Run("", func(t *testing.T) {
			for name, value := range variables {
				t.Setenv(name, value)
			}
			spans, end, err := FromEnvironment(t.Context(), slog.New(slog.DiscardHandler))
			if spans != nil || err != nil {
				t.Errorf("got %v, %v", spans, err)
			}
			end()
		})
	}
}

func TestTheCollectorGetsTheSpansOfAProcessThatEnds(t *testing.T) {
	var path, body string
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		all, _ := io.ReadAll(r.Body)
		path, body = r.URL.Path, string(all)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_SERVICE_NAME", "push-of-the-shop")
	spans, end, err := FromEnvironment(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := spans.Tracer(scope).Start(t.Context(), "process Orders")
	span.End()
	end()
	if path != "/v1/traces" || !strings.Contains(body, "process Orders") || !strings.Contains(body, "push-of-the-shop") {
		t.Errorf("the collector got %q at %q", body, path)
	}
}

func TestACollectorThatIsAwayIsSaidInTheLog(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
	var out bytes.Buffer
	spans, end, err := FromEnvironment(t.Context(), slog.New(slog.NewJSONHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, span := spans.Tracer(scope).Start(context.Background(), "process Orders")
	span.End()
	end()
	if !strings.Contains(out.String(), "traces are not exported") {
		t.Errorf("the log says %q", out.String())
	}
}
