// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/orderflow-dev/orderflow/internal/dial"
)

const (
	maxResponseHeaders = 64 << 10
	// idleTimeout is shorter than what load balancers have, so that we seldom write into a connection they are closing.
	idleTimeout = 50 * time.Second
	// connectTime bounds connecting, and then TLS. net/http goes on with both after the request has ended, for the next one: unbounded, a third party that takes
	// connections and says nothing would get one more for each probe, for ever.
	connectTime = 10 * time.Second
)

// NewTransport returns a transport that dials only where third parties may be, and open says which private networks those are. It keeps up to idle
// connections to a host for reuse. It speaks HTTP/1.1: with HTTP/2 one broken connection would take all requests in flight with it.
func NewTransport(open []netip.Prefix, idle int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            within(connectTime, dial.ThirdParty(open)),
		TLSHandshakeTimeout:    connectTime,
		Protocols:              protocols,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponseHeaders,
	}
}

// within bounds how long it takes to connect.
func within(most time.Duration, connect dial.Func) dial.Func {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		return connect(ctx, network, addr)
	}
}

// timedOut: connecting took too long, by its own bound or the request's.
func timedOut(err error) bool {
	var slow net.Error
	return errors.As(err, &slow) && slow.Timeout()
}
