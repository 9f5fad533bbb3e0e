// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/secret"
)

const (
	// requestTime bounds reading a request and writing its answer.
	requestTime = 10 * time.Second
	// maxSyncBody bounds a sync request.
	maxSyncBody = 1 << 20
)

// server is an HTTP server that already listens.
type server struct {
	http     *http.Server
	listener net.Listener
}

// listen opens both ports, or none.
func (w *Worker) listen(ctx context.Context) ([]server, error) {
	health, err := new(net.ListenConfig).Listen(ctx, "tcp", w.options.HealthAddress)
	if err != nil {
		return nil, fmt.Errorf("listen for /healthz: %w", err)
	}
	sync, err := new(net.ListenConfig).Listen(ctx, "tcp", w.options.SyncAddress)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for /sync: %w", err), health.Close())
	}
	secure := tls.NewListener(sync, &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: w.certificate()})
	return []server{w.server(health, w.healthHandler()), w.server(secure, w.syncHandler())}, nil
}

func (w *Worker) server(l net.Listener, h http.Handler) server {
	return server{listener: l, http: &http.Server{
		Handler:      h,
		ReadTimeout:  requestTime,
		WriteTimeout: requestTime,
		IdleTimeout:  time.Minute,
		ErrorLog:     slog.NewLogLogger(w.log.Handler(), slog.LevelDebug), // failed handshakes of strangers
	}}
}

// run serves until ctx ends.
func (s server) run(ctx context.Context) error {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = s.http.Close()
		close(closed)
	})
	err := s.http.Serve(s.listener)
	if stop() { // it ended by itself
		return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
	}
	<-closed
	return nil
}

// certificate reads the group's certificate again when it changes.
func (w *Worker) certificate() func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	read := secret.Cached(func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(w.options.SyncDir, "tls.crt"), filepath.Join(w.options.SyncDir, "tls.key"))
		if err != nil {
			w.log.Error("the certificate for the sync call cannot be read", "error", err)
		}
		return &pair, err
	})
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return read() }
}

func (w *Worker) syncHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+worker.SyncPath, w.serveSync)
	mux.Handle("GET /metrics", w.metrics.Handler())
	token := secret.Cached(func() (string, error) { return secret.Text(w.options.SyncDir, worker.SyncTokenKey) })
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		want, err := token()
		if err != nil {
			w.log.Error("the token for the sync call cannot be read", "error", err)
			http.Error(rw, "this worker cannot read its token", http.StatusServiceUnavailable)
			return
		}
		got, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !bearer || !same(got, want) {
			http.Error(rw, "the bearer token of the group is needed", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(rw, r)
	})
}

// same compares in a time that tells neither content nor length.
func same(a, b string) bool {
	hashA, hashB := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(hashA[:], hashB[:]) == 1
}

func (w *Worker) serveSync(rw http.ResponseWriter, r *http.Request) {
	var request worker.SyncRequest
	// As in the file, what a newer operator says beside what this worker knows is passed over.
	if err := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxSyncBody)).Decode(&request); err != nil {
		http.Error(rw, "the sync request cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	if request.Live != nil {
		_ = w.live.carry(*request.Live) // a problem is in the answer
	}
	w.hold(request.Holds)
	rw.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(rw).Encode(w.sync(w.consumer.Snapshot(), w.delivery.Totals())); err != nil {
		w.log.Debug("the sync call was not answered", "error", err)
	}
}
