// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/fence"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestNobodyIsCalledOnceTheMessagesQueueMayBeAnothers(t *testing.T) {
	for when, tt := range map[string]struct {
		method string
		body   []byte
		reused bool
	}{
		"before a connection is reused": {http.MethodPost, []byte(`{}`), true},
		"while it connects":             {http.MethodPost, []byte(`{}`), false},
		"while it connects to read":     {http.MethodGet, nil, false},
	} {
		t.Run(when, func(t *testing.T) {
			var served atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
			t.Cleanup(server.Close)
			var moved, moving atomic.Bool
			transport := NewTransport(nil, 10)
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				moved.Store(moving.Load()) // as if the process had been frozen here
				return conn, err
			}
			t.Cleanup(transport.CloseIdleConnections)
			a := build(t, config(server.URL, func(c *Config) {
				c.Transport = transport
				c.Spec.Idempotency = worker.Idempotency{Header: "Idempotency-Key"} // whose fate must not be doubted
			}))
			ctx := fence.With(t.Context(), func() bool { return !moved.Load() })
			call := func(want outcome.Kind, requests int32) {
				t.Helper()
				o := a.Call(ctx, Request{Step: "push", Method: tt.method, Path: "/send", Body: tt.body, Key: "KEY"})
				if o.Kind != want || served.Swap(0) != requests {
					t.Errorf("%v for %s (%s); want %v, by %d requests", o.Kind, o.Reason, o.Detail, want, requests)
				}
			}
			moving.Store(true)
			if tt.reused {
				moving.Store(false)
				call(outcome.Done, 1)
				moved.Store(true)
			}
			call(outcome.Park, 0)
			moving.Store(false)
			moved.Store(false)
			call(outcome.Done, 1)
		})
	}
}
