// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Observer is told what an adapter does. Calls come from many goroutines, some with a lock held: it must return at once and not call back.
type Observer interface {
	// Requested: a request ended after so long; reason is "" for a success.
	Requested(adapter, step string, reason outcome.Reason, took time.Duration)
	// Waited: a request waited so long for its turn.
	Waited(adapter string, took time.Duration)
	// Repeated: a failed request is repeated at once, or is not because too many are (allowed is false).
	Repeated(adapter string, allowed bool)
	// CircuitChanged: the circuit has a new state.
	CircuitChanged(adapter string, state worker.Circuit)
}

// Config is what an Adapter is made of; all but Auth's folder is needed.
type Config struct {
	Spec   worker.Adapter
	Limits worker.AdapterLimits
	// CredentialDir holds the files of the adapter's Secret.
	CredentialDir string
	// Transport makes the requests; NewTransport's in a worker, or Secured.
	Transport http.RoundTripper
	// Secured is what Transport leads to where the adapter has TLS of its own, else nil.
	Secured  *Secured
	Observer Observer
	// Callers is how many calls there can be at once; 0 if nobody knows.
	Callers int
}

// Adapter is one third party, as one pod calls it. It is safe for concurrent use.
type Adapter struct {
	spec        worker.Adapter
	url         string
	meaning     meaning
	query       *query       // nil without a status query
	credentials *credentials // nil without auth
	previous    previous
	tokens      *tokens  // nil but for OAuth2
	secured     *Secured // nil without TLS of its own
	transport   http.RoundTripper
	observer    Observer

	limits  atomic.Pointer[worker.AdapterLimits]
	circuit *circuit
	gate    gate
	pace    *pace
	repeats repeats
	absent  absences

	inFlight atomic.Int64

	mu      sync.Mutex
	lastErr string
	lastAt  time.Time
}

// New returns an adapter, or says what is wrong with its expression or URL.
func New(c Config) (*Adapter, error) {
	a := &Adapter{
		spec:      c.Spec,
		url:       strings.TrimSuffix(c.Spec.URL, "/"),
		transport: c.Transport,
		secured:   c.Secured,
		observer:  c.Observer,
		pace:      newPace(),
		absent:    absences{inARow: map[string]int{}},
	}
	if u, err := url.Parse(c.Spec.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("adapter %q: url is not an absolute http or https URL", c.Spec.Name)
	}
	var err error
	if a.meaning, err = newMeaning(c.Spec); err != nil {
		return nil, fmt.Errorf("adapter %q: %w", c.Spec.Name, err)
	}
	if a.query, err = newQuery(c.Spec); err != nil {
		return nil, fmt.Errorf("adapter %q: %w", c.Spec.Name, err)
	}
	if auth := c.Spec.Auth; auth != nil && auth.Type != worker.AuthMTLS {
		if keys[auth.Type] == nil {
			return nil, fmt.Errorf("adapter %q: this worker does not know auth type %q", c.Spec.Name, auth.Type)
		}
		a.credentials = newCredentials(c.CredentialDir, auth.Type)
		if auth.Type == worker.AuthOAuth2 {
			a.tokens = newTokens(*auth, c.Transport)
		}
	}
	a.gate.callers, a.gate.admitted = c.Callers, a.pace.admit
	a.circuit = newCircuit(c.Limits.Breaker, a.moved)
	a.SetLimits(c.Limits)
	return a, nil
}

// SetLimits changes the limits for requests that begin from now on.
func (a *Adapter) SetLimits(l worker.AdapterLimits) {
	a.limits.Store(&l)
	a.circuit.configure(l.Breaker)
	a.gate.resize(l.Concurrency, l.Adaptive)
	a.repeats.set(l.RetryPercentage, l.Breaker.MinimumRequests)
	a.pace.set(l.RequestsPerSecond, l.Burst)
}

// CloseIdleConnections closes those of a Secured adapter that no request is using.
func (a *Adapter) CloseIdleConnections() {
	if a.secured != nil {
		a.secured.CloseIdleConnections()
	}
}

// moved is told by the circuit, whose lock is held. What it has let in again gets its limits little by little.
func (a *Adapter) moved(to worker.Circuit) {
	if to == worker.CircuitClosed {
		a.gate.restart()
	}
	a.observer.CircuitChanged(a.spec.Name, to)
}

// Report is the third party as this pod sees it now.
func (a *Adapter) Report() worker.AdapterReport {
	report := worker.AdapterReport{Name: a.spec.Name, InFlight: int(a.inFlight.Load()), Allowed: a.gate.now()}
	a.circuit.report(&report)
	report.CredentialProblem = a.credentialProblem()
	a.mu.Lock()
	defer a.mu.Unlock()
	report.LastError = a.lastErr
	if a.lastErr != "" {
		at := a.lastAt
		report.LastErrorTime = &at
	}
	return report
}

// failed notes the last error.
func (a *Adapter) failed(reason outcome.Reason, detail string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastErr, a.lastAt = string(reason)+": "+detail, time.Now()
}
