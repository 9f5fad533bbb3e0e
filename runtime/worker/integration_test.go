// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// provider is a third party on an address of this machine that a worker may dial.
type provider struct {
	server *httptest.Server
	addr   net.IP

	mu      sync.Mutex
	down    bool
	latency time.Duration
	calls   []received
}

type received struct{ order, key, authorization, trace string }

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{addr: ownAddress(t)}
	listener, err := net.Listen("tcp", net.JoinHostPort(p.addr.String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	p.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(p.serve)}}
	p.server.Start()
	t.Cleanup(p.server.Close)
	return p
}

// ownAddress is an IPv4 address of this machine that is neither loopback nor link-local, as third parties have them.
func ownAddress(t *testing.T) net.IP {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP
		}
	}
	t.Fatal("this test needs an IPv4 address besides loopback, which workers never dial")
	return nil
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	var body struct{ Parameters struct{ OrderID string } }
	_ = json.NewDecoder(r.Body).Decode(&body)
	p.mu.Lock()
	down, latency := p.down, p.latency
	p.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	time.Sleep(latency)
	p.mu.Lock()
	p.calls = append(p.calls, received{body.Parameters.OrderID, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), r.Header.Get("traceparent")})
	p.mu.Unlock()
	_, _ = io.WriteString(w, `{"code":"OK"}`)
}

func (p *provider) set(down bool, latency time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.latency = down, latency
}

// traces are the contexts that came with the accepted calls.
func (p *provider) traces() (contexts []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.calls {
		contexts = append(contexts, c.trace)
	}
	return contexts
}

// accepted counts the accepted calls by order.
func (p *provider) accepted() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := map[string]int{}
	for _, c := range p.calls {
		count[c.order]++
	}
	return count
}

// running is a worker that runs, and how the operator and the kubelet see it.
type running struct {
	*files
	health, sync string
	operator     *http.Client
	stop         func() error
}

func start(t *testing.T, f *files) *running {
	t.Helper()
	r := &running{files: f}
	f.HealthAddress, f.SyncAddress = freeAddress(t, 10000), freeAddress(t, 12500)
	r.health, r.sync = "http://"+f.HealthAddress, "https://"+f.SyncAddress
	w, err := New(f.Options)
	f.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	roots := x509.NewCertPool()
	certificate, err := os.ReadFile(filepath.Join(f.SyncDir, "tls.crt"))
	f.must(err)
	roots.AppendCertsFromPEM(certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: worker.SyncServerName(w.structure.Namespace, w.structure.Name)}}
	r.operator = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := r.stop(); err != nil {
			t.Errorf("stop the worker: %v", err)
		}
	})
	eventually(t, "the worker to be ready", func() bool { return r.status("/readyz") == http.StatusOK })
	return r
}

// freeAddress is one with a free port, of the 2500 from first. No outgoing connection takes it before the worker does: systems give those higher ones.
func freeAddress(t *testing.T, first int) string {
	t.Helper()
	for range 200 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(2500))))
		if err == nil {
			_ = l.Close()
			return l.Addr().String()
		}
	}
	t.Fatalf("found no free port from %d", first)
	return ""
}

func (r *running) status(path string) int {
	response, err := http.Get(r.health + path)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func (r *running) ask(method, path string, body string) string {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.sync+path, strings.NewReader(body))
	r.must(err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := r.operator.Do(request)
	r.must(err)
	defer response.Body.Close() // it has been read
	answer, err := io.ReadAll(response.Body)
	r.must(err)
	if response.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %d %s", path, response.StatusCode, answer)
	}
	return string(answer)
}

func (r *running) report() (s worker.SyncResponse) {
	r.t.Helper()
	r.must(json.Unmarshal([]byte(r.ask(http.MethodPost, worker.SyncPath, "{}")), &s))
	return s
}

// scene is a whole worker that runs against a real broker and a third party.
type scene struct {
	*testing.T
	shop      *shop
	provider  *provider
	worker    *running
	structure worker.Structure
}

// TestAWorkerFromItsFiles lets a third party fail, come back and be slow. Each part goes on from where the last one ended.
func TestAWorkerFromItsFiles(t *testing.T) {
	nameServer := broker.Shared(t).NameServer()
	s := scene{T: t, shop: newShop(t, nameServer, nil), provider: newProvider(t)}
	s.structure = structureFor(s.provider.server.URL)
	s.structure.NameServers, s.structure.Topic, s.structure.Group = []string{nameServer}, s.shop.topic, s.shop.group
	s.structure.PrivateNetworks = []string{s.provider.addr.String() + "/32"}
	s.worker = start(t, newFiles(t, s.structure, liveFor("r1", nil)))
	s.aPaidOrderReachesTheThirdParty()
	s.anOutageParksAndBurnsNoRetry()
	s.limitsChangeInPlace()
	s.whatIsNoOrderIsADeadLetter()
	s.nothingOfOrdersOrSecretsComesOut()
	s.aStopLetsRunningCallsEndAndNothingComesTwice()
}

const orders = 40

func (s scene) aPaidOrderReachesTheThirdParty() {
	s.shop.pay(0, 1)
	eventually(s.T, "the call", func() bool { return len(s.provider.accepted()) == 1 })
	eventually(s.T, "the commit", func() bool { return s.shop.committed() == 1 })
	s.provider.mu.Lock()
	defer s.provider.mu.Unlock()
	if c := s.provider.calls[0]; c.order != "o0" || len(c.key) != 52 || c.authorization != "Bearer "+password {
		s.Errorf("got %+v", c)
	}
	if report := s.worker.report(); report.Handled != 1 || report.BusySeconds <= 0 || report.Parked || report.Queues != s.shop.queues+1 {
		s.Errorf("reported as %+v", report)
	}
}

func (s scene) anOutageParksAndBurnsNoRetry() {
	s.provider.set(true, 0)
	s.shop.pay(1, orders)
	eventually(s.T, "the worker to park", func() bool { return s.worker.report().Parked })
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // six times openDuration
		if report := s.worker.report(); !report.Parked || report.Adapters[0].Circuit == worker.CircuitClosed {
			s.Fatalf("reported as %+v", report)
		}
	}
	for _, path := range []string{"/readyz", "/healthz"} {
		if status := s.worker.status(path); status != http.StatusOK {
			s.Errorf("%s is %d while parked: the worker would be taken for sick", path, status)
		}
	}
	// One message was under way when the circuit was closed: its attempt counts. No other.
	if report := s.worker.report(); report.Handled != 2 || !strings.HasPrefix(report.Adapters[0].LastError, "ServerError: ") {
		s.Errorf("reported as %+v", report)
	}
	s.provider.set(false, 0)
	back := time.Now()
	eventually(s.T, "the backlog to be worked off", func() bool { return len(s.provider.accepted()) >= orders-1 })
	s.Logf("worked off %v after the third party was back", time.Since(back))
	eventually(s.T, "the message that was retried", func() bool { return len(s.provider.accepted()) == orders })
	if n := s.shop.stored(rocketmq.RetryTopic(s.shop.group)); n != 1 {
		s.Errorf("%d messages were sent back, want the 1 that was under way", n)
	}
	if n := s.shop.stored(rocketmq.DeadLetterTopic(s.shop.group)); n != 0 {
		s.Errorf("%d dead letters", n)
	}
}

func (s scene) limitsChangeInPlace() {
	s.worker.writeJSON(s.worker.LiveFile, liveFor("r2", nil))
	eventually(s.T, "the new revision", func() bool { return s.worker.report().LiveRevision == "r2" })
}

func (s scene) whatIsNoOrderIsADeadLetter() {
	large := []byte(`{"id":"` + strings.Repeat("x", 4<<20-9) + `"}`) // the most a broker takes
	compressed := rocketmq.OutMessage{Body: large}
	compressed.Compress()
	for i, c := range []struct {
		sent           rocketmq.OutMessage
		reason, detail string
		body           []byte
	}{
		{rocketmq.OutMessage{Body: []byte("no JSON, but " + phone)}, "Undecodable", "the body is no JSON document: it is not JSON at byte 0", []byte("no JSON, but " + phone)},
		{rocketmq.OutMessage{Body: large}, "BodyTooLarge", "the body cannot be an order: the document is too large: it has 4194304 bytes, 1048576 are allowed", large},
		{compressed, "BodyTooLarge", "the body cannot be an order: the document is too large: it has 4194304 bytes, 1048576 are allowed", large},
	} {
		s.shop.send(0, c.sent)
		eventually(s.T, "the dead letter", func() bool { return s.shop.stored(rocketmq.DeadLetterTopic(s.shop.group)) == int64(i+1) })
		letter := s.shop.deadLetters()[i]
		if reason, detail := letter.Property("ORDERFLOW_REASON"), letter.Property("ORDERFLOW_DETAIL"); reason != c.reason || detail != c.detail {
			s.Errorf("message %d: got %s %q, want %s %q", i, reason, detail, c.reason, c.detail)
		}
		if !bytes.Equal(letter.Body, c.body) {
			s.Errorf("message %d: its dead letter has %d other bytes, sent were %d", i, len(letter.Body), len(c.body))
		}
	}
}

func (s scene) nothingOfOrdersOrSecretsComesOut() {
	var metrics string
	for _, want := range []string{`outcome="done",reason="none"} 40`, `outcome="retry",reason="ServerError"} 1`, `outcome="dead",reason="Undecodable"} 1`, `outcome="dead",reason="BodyTooLarge"} 2`} {
		eventually(s.T, want+" in the metrics", func() bool { // a message is counted a moment after its dead letter can be seen
			metrics = s.worker.ask(http.MethodGet, "/metrics", "")
			return strings.Contains(metrics, want)
		})
	}
	for where, text := range map[string]string{"the log": s.worker.logs.text(), "the metrics": metrics} {
		for _, value := range []string{phone, strings.TrimPrefix(phone, "+"), password, token} {
			if strings.Contains(text, value) {
				s.Errorf("%s contains %q", where, value)
			}
		}
	}
}

func (s scene) aStopLetsRunningCallsEndAndNothingComesTwice() {
	s.provider.set(false, 500*time.Millisecond)
	s.shop.pay(orders, orders+6)
	eventually(s.T, "a call under way", func() bool { return s.worker.report().Adapters[0].InFlight == 1 })
	s.shop.must(s.worker.stop())
	before := len(s.provider.accepted())
	if committed := s.shop.committed(); committed < int64(before) {
		s.Errorf("%d orders were accepted, %d committed", before, committed)
	}
	s.provider.set(false, 0)
	files := newFiles(s, s.structure, liveFor("r1", nil))
	files.Instance = "worker-1"
	second := start(s.T, files)
	eventually(s.T, "the rest", func() bool { return len(s.provider.accepted()) == orders+6 })
	s.shop.must(second.stop())
	for order, calls := range s.provider.accepted() {
		if calls != 1 {
			s.Errorf("order %s was accepted %d times", order, calls)
		}
	}
}
