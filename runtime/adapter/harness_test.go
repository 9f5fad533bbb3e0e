// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// phone and canary are values: nothing that leaves the adapter but the request may contain them.
const (
	phone  = "+8613800000000"
	canary = "s3cr3t-value"
)

// observed is an Observer that remembers.
type observed struct {
	mu       sync.Mutex
	reasons  []outcome.Reason
	circuits []worker.Circuit
	waited   time.Duration
	repeated map[bool]int
}

func (o *observed) Requested(_, _ string, reason outcome.Reason, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reasons = append(o.reasons, reason)
}

func (o *observed) Waited(_ string, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waited += took
}

func (o *observed) Repeated(_ string, allowed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.repeated == nil {
		o.repeated = map[bool]int{}
	}
	o.repeated[allowed]++
}

func (o *observed) CircuitChanged(_ string, state worker.Circuit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.circuits = append(o.circuits, state)
}

func (o *observed) requests() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.reasons)
}

// config is a usable one; change changes it.
func config(url string, change func(*Config)) Config {
	c := Config{
		Spec: worker.Adapter{Name: "sms", URL: url, Idempotency: worker.Idempotency{KeysHonoured: true, Header: "Idempotency-Key", Window: worker.Duration(time.Hour)}},
		Limits: worker.AdapterLimits{
			Name: "sms", Timeout: worker.Duration(30 * time.Second), RequestAttempts: 1, RetryDelay: worker.Duration(time.Millisecond),
			Breaker: worker.Breaker{FailurePercentage: 50, MinimumRequests: 1000, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(time.Second)},
		},
		Observer: &observed{},
	}
	if change != nil {
		change(&c)
	}
	return c
}

// build returns an adapter that may call this machine, where the test's servers are.
func build(t *testing.T, c Config) *Adapter {
	t.Helper()
	if c.Transport == nil {
		transport := NewTransport(nil, 10)
		transport.DialContext = new(net.Dialer).DialContext
		t.Cleanup(transport.CloseIdleConnections)
		c.Transport = transport
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func request() Request {
	return Request{Step: "push", Method: http.MethodPost, Path: "/send", Body: []byte(`{"to":"` + phone + `"}`), Key: "KEY"}
}

// scripted is a transport that answers from functions, the last of them for ever, without any connection. It suits tests in a bubble of synctest.
type scripted struct {
	mu      sync.Mutex
	answers []func(*http.Request) (*http.Response, error)
	calls   []time.Time
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.calls = append(s.calls, time.Now())
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	return answer(r)
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

func status(code int) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	}
}

// later is a status with a Retry-After header.
func later(code int, after string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		response, err := status(code)(r)
		response.Header.Set("Retry-After", after)
		return response, err
	}
}

// slow answers after a while, unless the request ends before.
func slow(code int, after time.Duration) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(after):
			return status(code)(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
