// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// pods answer the sync call as idle workers do, all by one listener on all of this machine's addresses: the server name says which group's certificate is wanted,
// the address which pod is called.
type pods struct {
	reader client.Reader

	mu     sync.Mutex
	next   uint32
	byKey  map[podKey]netip.Addr
	byAddr map[netip.Addr]*pod
	certs  map[string]*tls.Certificate
	calls  int
}

type pod struct {
	key     podKey
	started time.Time
	// answer but for what each call makes anew.
	answer worker.SyncResponse
	token  string
}

func startPods(t *testing.T, reader client.Reader) *pods {
	t.Helper()
	p := &pods{reader: reader, byKey: map[podKey]netip.Addr{}, byAddr: map[netip.Addr]*pod{}, certs: map[string]*tls.Certificate{}}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", fmt.Sprintf("0.0.0.0:%d", worker.SyncPort))
	must(t, err)
	server := &http.Server{
		Handler:           http.HandlerFunc(p.serve),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: p.certificate},
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, 0),
		ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeTLS(listener, "", "") // ends with Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return p
}

// add makes the pod be there, from now on with the structure.
func (p *pods) add(key podKey, structure string) (addr netip.Addr, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	addr, known := p.byKey[key]
	if !known {
		p.next++
		addr = addrOf(p.next)
		p.byKey[key], p.byAddr[addr] = addr, &pod{key: key, started: time.Now().Truncate(time.Second)}
	}
	p.byAddr[addr].answer.Structure = structure
	return addr, !known
}

func (p *pods) remove(key podKey) *corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byAddr, p.byKey[key])
	delete(p.byKey, key)
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: key.namespace, Name: key.name()}}
}

// count is the number of pods, and of the calls they answered.
func (p *pods) count() (pods, calls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byAddr), p.calls
}

func (p *pods) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	known := p.certs[hello.ServerName]
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	group, namespace, _ := strings.Cut(hello.ServerName, ".")
	namespace, _, _ = strings.Cut(namespace, ".")
	secret, err := p.secret(hello.Context(), namespace, group)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.certs[hello.ServerName] = &pair
	return &pair, nil
}

func (p *pods) secret(ctx context.Context, namespace, group string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	return secret, p.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: group + "-sync"}, secret)
}

func (p *pods) serve(w http.ResponseWriter, r *http.Request) {
	var request worker.SyncRequest
	if r.Method != http.MethodPost || r.URL.Path != worker.SyncPath || json.NewDecoder(r.Body).Decode(&request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	local := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr).AddrPort().Addr().Unmap()
	p.mu.Lock()
	called := p.byAddr[local]
	p.mu.Unlock()
	if called == nil || !p.admits(r, called) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(p.answer(called, request)) // the operator sees a lost answer
}

// admits reports whether the caller shows the group's token.
func (p *pods) admits(r *http.Request, called *pod) bool {
	p.mu.Lock()
	token := called.token
	p.mu.Unlock()
	if token == "" {
		secret, err := p.secret(r.Context(), called.key.namespace, called.key.group)
		if err != nil {
			return false
		}
		token = string(secret.Data[worker.SyncTokenKey])
		p.mu.Lock()
		called.token = token
		p.mu.Unlock()
	}
	return r.Header.Get("Authorization") == "Bearer "+token
}

// answer is that of an idle worker that takes over what it is told.
func (p *pods) answer(called *pod, request worker.SyncRequest) worker.SyncResponse {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if live := request.Live; live != nil {
		called.answer.LiveRevision, called.answer.Adapters = live.Revision, nil
		for _, a := range live.Adapters {
			called.answer.Adapters = append(called.answer.Adapters, worker.AdapterReport{Name: a.Name, Circuit: worker.CircuitClosed, Allowed: a.Concurrency})
		}
	}
	answer := called.answer
	answer.Started, answer.Queues = called.started, brokerQueues
	return answer
}
