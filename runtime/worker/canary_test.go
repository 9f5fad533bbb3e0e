// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"strings"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// street and keys are values of orders, beside the phone number.
const (
	street = "Canary Lane 17"
	keys   = "canary-keys"
)

// echoes answers with all it was sent: status is its answer's, and 0 breaks the connection after a part of it.
func echoes(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		everything := fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body)
		w.Header().Set("X-Echo", r.URL.RawQuery)
		w.Header().Set("Location", "http://192.0.2.1/?"+r.URL.RawQuery)
		if status == 0 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, everything)
				_ = conn.Close()
			}
			return
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"code":%q,"message":%q}`, everything, everything)
	}
}

// TestNothingOfOrderSecretOrAnswerComesOut sends values of an order, in body and path, and a secret, in the URL's query, to third parties that answer with
// them, and looks for them wherever people look: in log, metrics, traces, sync answer, and in what a dead letter says of itself.
func TestNothingOfOrderSecretOrAnswerComesOut(t *testing.T) {
	order := fmt.Sprintf(`{"id":"o1","eventType":"OrderPaid","phone":%q,"address":{"street":%q}}`, phone, street)
	rules := func(outcome worker.ResponseOutcome) func(*worker.Structure) {
		return func(s *worker.Structure) {
			s.Adapters[0].ResponseRules = []worker.ResponseRule{{WhenExpression: "response.body.message.contains('Canary')", Outcome: outcome}}
		}
	}
	for name, c := range map[string]struct {
		serve  http.HandlerFunc
		change func(*worker.Structure)
		body   string
		want   outcome.Kind
	}{
		"a success that is none":            {echoes(200), nil, order, outcome.Retry},
		"a refusal":                         {echoes(400), nil, order, outcome.Dead},
		"a key that was reused":             {echoes(422), nil, order, outcome.Dead},
		"a refused account":                 {echoes(403), nil, order, outcome.Retry},
		"a failure":                         {echoes(503), nil, order, outcome.Retry},
		"a redirect":                        {echoes(307), nil, order, outcome.Dead},
		"an answer that is no HTTP":         {echoes(0), nil, order, outcome.Retry},
		"a rule that matches, for the dead": {echoes(200), rules(worker.ResponseDead), order, outcome.Dead},
		"a rule that matches, for the rest": {echoes(400), rules(worker.ResponseRetry), order, outcome.Retry},
		"a field of another type":           {echoes(200), nil, strings.Replace(order, `"`+phone+`"`, `["`+phone+`"]`, 1), outcome.Dead},
		"a path that leads elsewhere": {echoes(200), func(s *worker.Structure) {
			s.Handler.HTTP.Steps[0].PathExpression = "'/../' + order.address.street"
		}, order, outcome.Dead},
		"a body that is no JSON": {echoes(200), nil, order + "}", outcome.Dead},
		"a status query that cannot tell": {echoes(200), func(s *worker.Structure) {
			s.Adapters[0].Idempotency = worker.Idempotency{Header: "K", StatusQuery: &worker.StatusQuery{
				PathExpression: "'/of'", ParametersExpression: "{'phone': order.phone}", DoneExpression: "false", AbsentExpression: "false"}}
		}, order, outcome.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			third := newProvider(t)
			third.server.Config.Handler = c.serve
			s := structureFor(third.server.URL)
			s.PrivateNetworks = []string{third.addr.String() + "/32"}
			s.Adapters[0].Auth = &worker.Auth{Type: worker.AuthAPIKey, In: "Query", Name: "key"}
			s.Handler = worker.Handler{Type: worker.HandlerHTTP, HTTP: &worker.HTTPHandler{Steps: []worker.HTTPStep{{
				Name: "tell", Adapter: "sms", Method: http.MethodPost, PathExpression: "'/to/' + order.phone", BodyExpression: "order",
			}}}}
			if c.change != nil {
				c.change(&s)
			}
			f := newFiles(t, s, liveFor("r1", nil))
			f.write(f.AdapterDir+"/sms/"+worker.APIKeyKey, []byte(password))
			spans := tracetest.NewSpanRecorder()
			f.Spans = sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
			w, err := New(f.Options)
			f.must(err)
			t.Cleanup(w.transport.CloseIdleConnections)
			properties, err := rocketmq.EncodeProperties(rocketmq.Fields{{Name: rocketmq.PropertyKeys, Value: keys}, {Name: "buyer", Value: phone}})
			f.must(err)
			message := &rocketmq.Message{Body: []byte(c.body), Reconsumed: 1, Born: time.Now().UnixMilli()}
			message.SetProperties(properties)
			o := w.messages().Handle(t.Context(), message)
			if o.Kind != c.want {
				t.Errorf("got %v %s %q, want %v", o.Kind, o.Reason, o.Detail, c.want)
			}
			if len(spans.Ended()) == 0 {
				t.Error("nothing was traced")
			}
			var trace strings.Builder
			for _, span := range spans.Ended() {
				_, _ = fmt.Fprintln(&trace, span.Name(), span.Attributes(), span.Events(), span.Status())
			}
			for where, text := range map[string]string{
				"the trace": trace.String(), "the dead letter": fmt.Sprint(o.Reason, o.Detail), "the log": f.logs.text(),
				"the metrics": call(w, http.MethodGet, "/metrics", token, "").Body.String(), "the sync answer": call(w, http.MethodPost, worker.SyncPath, token, "{}").Body.String(),
			} {
				for _, value := range []string{phone, strings.TrimPrefix(phone, "+"), street, neturl.QueryEscape(street), neturl.PathEscape(street), keys, password, token} {
					if strings.Contains(text, value) {
						t.Errorf("%s contains %q: %s", where, value, text)
					}
				}
			}
		})
	}
}
