// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/certificate/certificatetest"
	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/stub"
)

// NamedHost is the name under which a pod with Hosts finds the third parties.
const NamedHost = "party.rig.test"

// Party is the third parties: package stub behind a port.
type Party struct {
	// URL reaches it, by its address.
	URL string
	// Roots is a file with the certificates it is to be trusted by, "" without TLS.
	Roots string
	// OnCall, if set before the first call, is told the body of each call before it is made.
	OnCall func(body []byte)

	t       testing.TB
	stub    *stub.Server
	address string // host:port, the same for good
	valid   *tls.Config
	ended   *tls.Config
	expired atomic.Bool

	mu     sync.Mutex
	server *httptest.Server // nil while its port is closed
}

// NewParty opens third parties that are healthy and take 20 ms.
func NewParty(t testing.TB, l *Lab, withTLS bool) *Party {
	t.Helper()
	p := &Party{t: t, stub: stub.New(stub.Config{Seed: 1, Logger: slog.New(slog.DiscardHandler)}), address: net.JoinHostPort(l.Address, "0")}
	if withTLS {
		authority, now := certificatetest.NewAuthority(t), time.Now()
		yesterday := now.Add(-24 * time.Hour)
		p.valid, p.ended = authority.Server(t, l.Address, yesterday, now.Add(24*time.Hour)), authority.Server(t, l.Address, yesterday, now.Add(-time.Hour))
		p.Roots = filepath.Join(t.TempDir(), "roots.pem")
		must(t, os.WriteFile(p.Roots, []byte(authority.PEM), 0o600))
	}
	p.Open()
	p.URL = p.server.URL
	p.address = p.server.Listener.Addr().String()
	t.Cleanup(p.Close)
	p.Steer(`{"latency":"20ms"}`)
	return p
}

// Open listens again where it listened before.
func (p *Party) Open() {
	listener, err := net.Listen("tcp", p.address)
	must(p.t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: 10 * time.Second}}
	if p.Roots != "" {
		// By the connection, since who calls an address names no host, and httptest adds a certificate of its own for those.
		server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			if p.expired.Load() {
				return p.ended, nil
			}
			return p.valid, nil
		}}
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
		server.StartTLS()
	} else {
		server.Start()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
}

// Close closes the port and every connection: who calls is refused.
func (p *Party) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		p.server.CloseClientConnections()
		p.server.Close()
		p.server = nil
	}
}

// Hangup closes every connection, so that the next call makes one.
func (p *Party) Hangup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server.CloseClientConnections()
}

// Expire makes its certificate one that has ended, or not.
func (p *Party) Expire(expired bool) {
	p.expired.Store(expired)
	p.Hangup()
}

func (p *Party) serve(w http.ResponseWriter, r *http.Request) {
	if p.OnCall != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the caller has gone
		}
		p.OnCall(body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	p.stub.ServeHTTP(w, r)
}

// Steer changes how SMS behaves, see package stub.
func (p *Party) Steer(behaviour string) {
	answer := httptest.NewRecorder()
	p.stub.ServeHTTP(answer, httptest.NewRequest(http.MethodPut, "/control/sms", strings.NewReader(behaviour)))
	if answer.Code != http.StatusNoContent {
		p.t.Fatalf("the third party refuses to behave like %s: %s", behaviour, answer.Body)
	}
}

// Calls are all so far.
func (p *Party) Calls() []ledger.Call {
	answer := httptest.NewRecorder()
	p.stub.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/calls", nil))
	calls, err := ledger.Read[ledger.Call](answer.Body)
	must(p.t, err)
	return calls
}
