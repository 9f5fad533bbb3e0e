// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// gateway is how an SMS gateway answers: 200 whatever happened, and a code in the body.
var gateway = []worker.ResponseRule{
	{WhenExpression: "response.status == 409 || response.body.code == 'DUPLICATE'", Outcome: worker.ResponseDone},
	{WhenExpression: "response.body.code == 'BUSY'", Outcome: worker.ResponseRetry},
	{WhenExpression: "response.body.code == 'BAD_NUMBER' && response.headers['x-vendor'] == 'v'", Outcome: worker.ResponseDead},
	{WhenExpression: "response.body.code in ['NO_BALANCE', 'LOCKED']", Outcome: worker.ResponsePark},
	{WhenExpression: "response.body.code == 'KEY_REUSED'", Outcome: worker.ResponseKeyReused},
	{WhenExpression: "response.body.code == 'BUSY'", Outcome: worker.ResponseDead},
}

func TestTheFirstRuleThatMatchesSaysWhatAnAnswerMeans(t *testing.T) {
	body := func(code string) string { return `{"code":"` + code + `","to":"` + phone + `"}` }
	for name, c := range map[string]struct {
		status int
		body   string
		kind   outcome.Kind
		reason outcome.Reason
		detail string
	}{
		"a success is asked about by no rule":       {200, body("OK"), outcome.Done, "", ""},
		"200 with a code that means done":           {200, body("DUPLICATE"), outcome.Done, "", ""},
		"another status that means done":            {409, "no JSON", outcome.Done, "", ""},
		"200 with a code that may pass":             {200, body("BUSY"), outcome.Retry, ResponseRejected, "answered 200, and response.rules[1] says Retry"},
		"503 with a code that may pass":             {503, body("BUSY"), outcome.Retry, ResponseRejected, "answered 503, and response.rules[1] says Retry"},
		"400 with a code that may pass":             {400, body("BUSY"), outcome.Retry, ResponseRejected, "answered 400, and response.rules[1] says Retry"},
		"200 with a code that never passes":         {200, body("BAD_NUMBER"), outcome.Dead, RequestRefused, "answered 200, and response.rules[2] says Dead"},
		"200 with a code that refuses the account":  {200, body("NO_BALANCE"), outcome.Park, AccountRefused, "answered 200, and response.rules[3] says Park"},
		"500 with a code that refuses the account":  {500, body("LOCKED"), outcome.Park, AccountRefused, "answered 500, and response.rules[3] says Park"},
		"a key that was used with another body":     {400, body("KEY_REUSED"), outcome.Dead, KeyReused, "response.rules[4] says KeyReused"},
		"a code no rule knows, with 200":            {200, body("?"), outcome.Retry, ResponseRejected, "response.successExpression is false"},
		"a code no rule knows, with 400":            {400, body("?"), outcome.Dead, RequestRefused, "answered 400 Bad Request"},
		"a body no rule can be asked about":         {400, "<html>" + phone, outcome.Dead, RequestRefused, "answered 400 Bad Request"},
		"a success expression that has no value":    {200, "<html>" + phone, outcome.Retry, ResponseUnreadable, "which is not as expected"},
		"a body too large for rules, with 500":      {500, strings.Repeat(" ", maxBody+1), outcome.Retry, ServerError, "answered 500"},
		"a body too large for the question of 200s": {200, strings.Repeat(" ", maxBody+1), outcome.Retry, ResponseTooLarge, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Vendor", "v")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			a := build(t, config(server.URL, func(cfg *Config) {
				cfg.Spec.SuccessExpression, cfg.Spec.ResponseRules = codeOK, gateway
			}))
			o := a.Call(t.Context(), request())
			if o.Kind != c.kind || o.Reason != c.reason || !strings.Contains(o.Detail, c.detail) {
				t.Errorf("got %v %s %q\nwant %v %s %q", o.Kind, o.Reason, o.Detail, c.kind, c.reason, c.detail)
			}
			if o.Kind == outcome.Park && o.Resume == nil {
				t.Error("parked for ever")
			}
			if all := fmt.Sprint(o, a.Report().LastError); strings.Contains(all, phone) {
				t.Errorf("a value of the order came out: %s", all)
			}
		})
	}
}

func TestARuleSettlesWhetherThereWasAnEffect(t *testing.T) {
	rules := []worker.ResponseRule{{WhenExpression: "response.headers['x-accepted'] == 'no'", Outcome: worker.ResponseRetry}}
	for header, want := range map[string]outcome.Kind{"no": outcome.Retry, "": outcome.Dead} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Accepted", header)
			w.WriteHeader(http.StatusGatewayTimeout)
		}))
		a := build(t, config(server.URL, func(c *Config) {
			c.Spec.ResponseRules, c.Spec.Idempotency.KeysHonoured = rules, false
		}))
		if o := a.Call(t.Context(), request()); o.Kind != want {
			t.Errorf("with X-Accepted %q: got %v %s %q, want %v", header, o.Kind, o.Reason, o.Detail, want)
		}
		server.Close()
	}
}

func TestWhatARuleSaysOfTheThirdParty(t *testing.T) {
	for outcome, want := range map[worker.ResponseOutcome]worker.Circuit{
		worker.ResponseRetry: worker.CircuitOpen, worker.ResponseDead: worker.CircuitClosed, worker.ResponsePark: worker.CircuitClosed,
		worker.ResponseDone: worker.CircuitClosed, worker.ResponseKeyReused: worker.CircuitClosed,
	} {
		a := build(t, config("http://sms.example", func(c *Config) {
			c.Transport = &scripted{answers: []func(*http.Request) (*http.Response, error){later(500, "7")}}
			c.Spec.ResponseRules = []worker.ResponseRule{{WhenExpression: "true", Outcome: outcome}}
			c.Limits.Breaker.MinimumRequests = 1
		}))
		o := a.Call(t.Context(), request())
		if got := a.Report().Circuit; got != want {
			t.Errorf("after %s the circuit is %s, want %s", outcome, got, want)
		}
		if outcome == worker.ResponseRetry && o.After != 7*time.Second {
			t.Errorf("the Retry-After of an answer that a rule says Retry of is %v", o.After)
		}
	}
}

// The draft for the Idempotency-Key header answers 422 where a key comes with another body, and 409 while the first request with it is at work.
func TestAKeyThatWasUsedWithAnotherBody(t *testing.T) {
	problem := `{"type":"https://developer.example.com/Idempotency","title":"Idempotency-Key is already used"}`
	for name, c := range map[string]struct {
		honoured bool
		status   int
		body     string
		reason   outcome.Reason
	}{
		"as the draft has it":            {true, 422, problem, KeyReused},
		"a 422 about something else":     {true, 422, `{"title":"the number is none"}`, RequestRefused},
		"where keys are ignored":         {false, 422, problem, RequestRefused},
		"while the first one is at work": {true, 409, problem, KeyInUse},
	} {
		for _, rules := range [][]worker.ResponseRule{nil, {{WhenExpression: "false", Outcome: worker.ResponseDone}}} {
			t.Run(fmt.Sprintf("%s, with %d rules", name, len(rules)), func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/problem+json")
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, c.body)
				}))
				defer server.Close()
				a := build(t, config(server.URL, func(cfg *Config) {
					cfg.Spec.Idempotency.KeysHonoured, cfg.Spec.ResponseRules = c.honoured, rules
				}))
				if o := a.Call(t.Context(), request()); o.Reason != c.reason || o.Kind == outcome.Done {
					t.Errorf("got %v %s %q, want %s", o.Kind, o.Reason, o.Detail, c.reason)
				}
			})
		}
	}
}
