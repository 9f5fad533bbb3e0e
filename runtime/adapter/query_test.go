// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// asked are the requests a third party saw: a method and a URL each.
type asked struct {
	*httptest.Server
	requests chan string
	header   chan http.Header
}

// askable is a third party that may be asked what became of a request: status answers that.
func askable(t *testing.T, send, status http.HandlerFunc) asked {
	t.Helper()
	a := asked{requests: make(chan string, 10), header: make(chan http.Header, 10)}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests <- r.Method + " " + r.URL.RequestURI()
		a.header <- r.Header
		if r.Method == http.MethodGet {
			status(w, r)
			return
		}
		send(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a asked) saw() string {
	a.Close()
	close(a.requests)
	var all []string
	for r := range a.requests {
		all = append(all, r)
	}
	return strings.Join(all, ", ")
}

// replies answers with this status and body.
func replies(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// again is the request of an attempt, counted from 1, of a message born so long ago.
func again(attempt int, age time.Duration) Request {
	r := request()
	r.Message = message.New(&rocketmq.Message{Body: []byte(`{"id":"o&1"}`), Reconsumed: attempt - 1, Born: time.Now().Add(-age).UnixMilli()})
	return r
}

// asking is an adapter whose third party ignores keys, and can be asked.
func asking(t *testing.T, url string, change func(*Config)) *Adapter {
	t.Helper()
	return build(t, config(url, func(c *Config) {
		c.Spec.Idempotency.KeysHonoured = false
		c.Spec.Idempotency.StatusQuery = &worker.StatusQuery{
			PathExpression: "'/status/' + key", ParametersExpression: "{'order': order.id, 'attempt': message.attempt}",
			DoneExpression: "response.body.state == 'SENT'", AbsentExpression: "response.status == 404 || response.body.state == 'FAILED'",
		}
		if change != nil {
			change(c)
		}
	}))
}

const (
	asks  = "GET /status/KEY?attempt=2&order=o%261"
	sends = "POST /send"
)

func TestWhatBecameOfARequestIsAskedBeforeTheNext(t *testing.T) {
	accept := func(c *Config) { c.Spec.Idempotency.AcceptDuplicates = true }
	honour := func(c *Config) { c.Spec.Idempotency.KeysHonoured = true }
	unmappable := func(c *Config) { c.Spec.Idempotency.StatusQuery.PathExpression = "'/status/' + order.no" }
	elsewhere := func(c *Config) { c.Spec.Idempotency.StatusQuery.PathExpression = "'/status/../' + key" }
	for name, c := range map[string]struct {
		attempt int
		age     time.Duration
		change  func(*Config)
		status  http.HandlerFunc
		saw     string
		kind    outcome.Kind
		reason  outcome.Reason
	}{
		"nobody asks before the first attempt":   {1, 0, nil, replies(500, ""), sends, outcome.Done, ""},
		"done":                                   {2, 0, nil, replies(200, `{"state":"SENT"}`), asks, outcome.Done, ""},
		"absent":                                 {2, 0, nil, replies(200, `{"state":"FAILED"}`), asks + ", " + sends, outcome.Done, ""},
		"absent, by its status":                  {2, 0, nil, replies(404, "<html>"), asks + ", " + sends, outcome.Done, ""},
		"neither":                                {2, 0, nil, replies(200, `{"state":"QUEUED"}`), asks, outcome.Retry, FateUnknown},
		"both":                                   {2, 0, nil, replies(404, `{"state":"SENT"}`), asks, outcome.Retry, FateUnknown},
		"a question that is refused":             {2, 0, nil, replies(400, ""), asks, outcome.Retry, FateUnknown},
		"neither, where duplicates are accepted": {2, 0, accept, replies(200, `{"state":"QUEUED"}`), asks + ", " + sends, outcome.Done, ""},
		"nobody is there to answer":              {2, 0, nil, replies(503, ""), asks, outcome.Retry, ServerError},
		"nobody is there, where duplicates are accepted": {2, 0, accept, replies(503, ""), asks, outcome.Retry, ServerError},
		"a question that cannot be made":                 {2, 0, unmappable, replies(200, ""), "", outcome.Dead, FateUnknown},
		"a question that would lead elsewhere":           {2, 0, elsewhere, replies(200, ""), "", outcome.Dead, FateUnknown},
		"a key the third party still remembers":          {2, time.Minute, honour, replies(500, ""), sends, outcome.Done, ""},
		"a key it has forgotten, of a request that was":  {2, 2 * time.Hour, honour, replies(200, `{"state":"SENT"}`), asks, outcome.Done, ""},
		"a key it has forgotten, of one that was not":    {2, 2 * time.Hour, honour, replies(404, ""), asks + ", " + sends, outcome.Done, ""},
		"an old message that only waited":                {1, 2 * time.Hour, honour, replies(500, ""), sends, outcome.Done, ""},
	} {
		t.Run(name, func(t *testing.T) {
			provider := askable(t, replies(200, ""), c.status)
			a := asking(t, provider.URL, c.change)
			o := a.Call(t.Context(), again(c.attempt, c.age))
			if o.Kind != c.kind || o.Reason != c.reason {
				t.Errorf("got %v %s %q, want %v %s", o.Kind, o.Reason, o.Detail, c.kind, c.reason)
			}
			if strings.Contains(o.Detail, "o&1") || strings.Contains(o.Detail, "KEY") {
				t.Errorf("the detail has a value: %q", o.Detail)
			}
			if saw := provider.saw(); saw != c.saw {
				t.Errorf("the third party saw %s, want %s", saw, c.saw)
			}
		})
	}
}

func TestADeadLetterThatIsSentAgainWasAttemptedBefore(t *testing.T) {
	provider := askable(t, replies(200, ""), replies(200, `{"state":"SENT"}`))
	raw := &rocketmq.Message{Body: []byte(`{"id":"o&1"}`), Reconsumed: 1, Born: time.Now().UnixMilli()} // born when it died
	raw.SetProperties(rocketmq.PropertyBorn + "\x010\x02")
	r := request()
	r.Message = message.New(raw)
	if o := asking(t, provider.URL, nil).Call(t.Context(), r); o.Kind != outcome.Done {
		t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
	}
	if saw := provider.saw(); saw != asks {
		t.Errorf("the third party saw %s, want a question", saw)
	}
}

func TestARequestOfUnknownFateIsNotRepeatedWithoutAsking(t *testing.T) {
	for _, accept := range []bool{false, true} {
		provider := askable(t, func(w http.ResponseWriter, _ *http.Request) { hijack(t, w, func(net.Conn) {}) }, replies(200, ""))
		a := asking(t, provider.URL, func(c *Config) {
			c.Limits.RequestAttempts = 3
			c.Spec.Idempotency.AcceptDuplicates = accept
		})
		o := a.Call(t.Context(), again(1, 0))
		if o.Kind != outcome.Retry || o.Reason != ConnectionFailed || !strings.Contains(o.Detail, "the next attempt asks first") {
			t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
		}
		if saw := provider.saw(); saw != sends {
			t.Errorf("the third party saw %s, want one request", saw)
		}
	}
}

func TestWhatAnotherPodMayHaveAskedForIsAskedAbout(t *testing.T) {
	honour := func(c *Config) { c.Spec.Idempotency.KeysHonoured = true }
	unmappable := func(c *Config) { c.Spec.Idempotency.StatusQuery.PathExpression = "'/status/' + order.no" }
	first := strings.ReplaceAll(asks, "=2", "=1")
	for name, c := range map[string]struct {
		age    time.Duration
		change func(*Config)
		status http.HandlerFunc
		saw    string
		kind   outcome.Kind
	}{
		"it did":                        {0, nil, replies(200, `{"state":"SENT"}`), first, outcome.Done},
		"it did not":                    {0, nil, replies(404, ""), first + ", " + sends, outcome.Done},
		"that cannot be asked":          {0, unmappable, replies(404, ""), "", outcome.Dead},
		"with a key that is remembered": {time.Minute, honour, replies(500, ""), sends, outcome.Done},
		"with a key that is forgotten":  {2 * time.Hour, honour, replies(200, `{"state":"SENT"}`), first, outcome.Done},
	} {
		t.Run(name, func(t *testing.T) {
			provider := askable(t, replies(200, ""), c.status)
			r := again(1, c.age)
			r.MaybeMade = true
			if o := asking(t, provider.URL, c.change).Call(t.Context(), r); o.Kind != c.kind {
				t.Errorf("got %v %s %q, want %v", o.Kind, o.Reason, o.Detail, c.kind)
			}
			if saw := provider.saw(); saw != c.saw {
				t.Errorf("the third party saw %s, want %s", saw, c.saw)
			}
		})
	}
}

// Where duplicates are accepted a request of unknown fate is parked in an outage, as no attempt. The next call asks what became of it all the same.
func TestAParkedRequestOfUnknownFateIsAskedAbout(t *testing.T) {
	served := make(chan struct{}, 3)
	provider := askable(t, func(w http.ResponseWriter, _ *http.Request) {
		served <- struct{}{}
		if len(served) < 3 {
			hijack(t, w, func(net.Conn) {})
		}
	}, replies(404, ""))
	a := asking(t, provider.URL, func(c *Config) {
		c.Spec.Idempotency.AcceptDuplicates = true
		c.Limits.Breaker.MinimumRequests, c.Limits.Breaker.OpenDuration = 1, worker.Duration(time.Millisecond)
	})
	if o := a.Call(t.Context(), again(1, 0)); o.Kind != outcome.Retry || a.Report().Circuit != worker.CircuitOpen {
		t.Fatalf("what opens the circuit: got %v %s %q", o.Kind, o.Reason, o.Detail)
	}
	probe := func(maybeMade bool) outcome.Outcome {
		for {
			r := again(1, 0)
			r.MaybeMade = maybeMade
			o := a.Call(t.Context(), r)
			if o.Kind != outcome.Park || o.Detail != "adapter sms, step push: the circuit is open" {
				return o
			}
			<-o.Resume
		}
	}
	if o := probe(false); o.Kind != outcome.Park || !o.MaybeMade {
		t.Errorf("a probe of unknown fate: got %v %s %q, made %v", o.Kind, o.Reason, o.Detail, o.MaybeMade)
	}
	if o := probe(true); o.Kind != outcome.Done {
		t.Errorf("the next: got %v %s %q", o.Kind, o.Reason, o.Detail)
	}
	if saw, want := provider.saw(), sends+", "+sends+", "+strings.ReplaceAll(asks, "=2", "=1")+", "+sends; saw != want {
		t.Errorf("the third party saw %s, want %s", saw, want)
	}
}

// Whoever has the queue next gets the message as the same attempt, and would not ask.
func TestARequestThatIsCutWhileItsQueueMovesIsNotLeftToTheNextOwner(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	provider := askable(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}, replies(200, ""))
	if o := asking(t, provider.URL, nil).Call(ctx, again(1, 0)); o.Kind != outcome.Dead || o.Reason != FateUnknown {
		t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
	}
}

// A probe that asks has no effect: when it fails, no attempt is counted and no fate unknown.
func TestAProbeAsksFirst(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		kind   outcome.Kind
		saw    string
	}{
		"of a third party that is still down": {503, outcome.Park, sends + ", " + strings.ReplaceAll(asks, "=2", "=1")},
		"of one that is back":                 {404, outcome.Done, sends + ", " + strings.ReplaceAll(asks, "=2", "=1") + ", " + sends},
	} {
		t.Run(name, func(t *testing.T) {
			codes := make(chan int, 2)
			codes <- 503
			codes <- 200
			provider := askable(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-codes) }, replies(c.status, ""))
			a := asking(t, provider.URL, func(c *Config) {
				c.Limits.Breaker.MinimumRequests, c.Limits.Breaker.OpenDuration = 1, worker.Duration(time.Millisecond)
			})
			a.Call(t.Context(), again(1, 0))
			o := a.Call(t.Context(), again(1, 0))
			for o.Kind == outcome.Park && o.Detail == "adapter sms, step push: the circuit is open" {
				<-o.Resume
				o = a.Call(t.Context(), again(1, 0))
			}
			if o.Kind != c.kind {
				t.Errorf("got %v %s %q, want %v", o.Kind, o.Reason, o.Detail, c.kind)
			}
			if saw := provider.saw(); saw != c.saw {
				t.Errorf("the third party saw %s, want %s", saw, c.saw)
			}
		})
	}
}

func TestTheQuestionAuthenticatesAndBearsNoKey(t *testing.T) {
	provider := askable(t, replies(200, ""), replies(200, `{"state":"SENT"}`))
	a := asking(t, provider.URL, func(c *Config) {
		c.Spec.Auth = &worker.Auth{Type: worker.AuthBearer}
		c.CredentialDir = writeSecret(t, map[string]string{worker.TokenKey: canary})
	})
	if o := a.Call(t.Context(), again(2, 0)); o.Kind != outcome.Done {
		t.Fatalf("got %v", o)
	}
	if header := <-provider.header; header.Get("Authorization") != "Bearer "+canary || header.Get("Idempotency-Key") != "" {
		t.Errorf("the question has the headers %v", header)
	}
}
