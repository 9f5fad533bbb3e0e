// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/handler"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/test/metriclint"
)

func TestMetricsAreAsTheyShouldBe(t *testing.T) {
	m := New(structure)
	observeAll(m)
	metriclint.Check(t, m.registry)
	metriclint.Documented(t, m.registry, "../../docs/metrics.md", "workers", "namespace", "group")
}

// TestSeriesDoNotGrowWithTheOrders sends distinct orders through delivery, handler and adapter to a third party that answers them in every way it knows.
func TestSeriesDoNotGrowWithTheOrders(t *testing.T) {
	m := New(structure)
	handle := chain(t, m)
	orders := func(from, to int) int {
		for i := from; i < to; i++ {
			body, err := json.Marshal(map[string]any{"id": fmt.Sprintf("order-%d", i), "eventType": "paid", "phone": fmt.Sprintf("+86138%08d", i)})
			if err != nil {
				t.Fatal(err)
			}
			if i%7 == 0 {
				body = body[1:] // no JSON
			}
			o := handle(body)
			m.Finished(o.Kind, o.Reason)
		}
		return metriclint.Series(t, m.registry)
	}
	few := orders(0, 100)
	if many := orders(100, 2000); many != few {
		t.Errorf("%d series after 100 orders, %d after 2000", few, many)
	}
	text := scrape(t, m)
	for _, canary := range []string{"order-1", "+86138", "127.0.0.1", "http://"} {
		if strings.Contains(text, canary) {
			t.Errorf("%q is in the metrics", canary)
		}
	}
	for _, reason := range []outcome.Reason{adapter.ServerError, adapter.RequestRefused, delivery.Undecodable} {
		if !strings.Contains(text, `reason="`+string(reason)+`"`) {
			t.Errorf("no order ended as %s: the run shows less than it should", reason)
		}
	}
}

// chain returns what handles an order's body, as a worker does.
func chain(t *testing.T, m *Metrics) func(body []byte) outcome.Outcome {
	t.Helper()
	statuses := []int{http.StatusOK, http.StatusBadRequest, http.StatusInternalServerError, http.StatusTooManyRequests}
	calls := 0
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[calls%len(statuses)])
		calls++
	}))
	t.Cleanup(provider.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	s := structure
	s.Retry = worker.Retry{MaxAttempts: 3, MaxDuration: worker.Duration(time.Hour)}
	s.Handler = worker.Handler{Type: worker.HandlerPush, Push: &worker.PushHandler{Adapter: "sms", Path: "/send", TemplateID: "paid", ToExpression: "order.phone"}}
	s.Adapters = []worker.Adapter{{Name: "sms", URL: provider.URL, Idempotency: worker.Idempotency{KeysHonoured: true, Header: "Idempotency-Key"}}}
	sms, err := adapter.New(adapter.Config{Spec: s.Adapters[0], Transport: transport, Observer: m, Limits: worker.AdapterLimits{
		Name: "sms", Timeout: worker.Duration(10 * time.Second), RequestAttempts: 1, RetryDelay: worker.Duration(time.Millisecond),
		Breaker: worker.Breaker{FailurePercentage: 100, MinimumRequests: 1000, Window: worker.Duration(time.Second), OpenDuration: worker.Duration(time.Second)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := handler.New(handler.Config{Structure: s, Adapters: map[string]handler.Caller{"sms": sms}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := delivery.New(delivery.Config{Handler: h, Structure: s, Clock: func() (time.Time, bool) { return time.Now(), true }, Observer: m, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return func(body []byte) outcome.Outcome { return d.Handle(t.Context(), &rocketmq.Message{Body: body}) }
}
