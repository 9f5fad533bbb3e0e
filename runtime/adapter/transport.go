// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/orderflow-dev/orderflow/internal/dial"
)

const (
	maxResponseHeaders = 64 << 10
	// idleTimeout is shorter than what load balancers have, so that we seldom write into a connection they are closing.
	idleTimeout = 50 * time.Second
)

// NewTransport returns a transport that dials only where third parties may be, and open says which private networks those are. It keeps up to idle
// connections to a host for reuse. It speaks HTTP/1.1: with HTTP/2 one broken connection would take all requests in flight with it.
func NewTransport(open []netip.Prefix, idle int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            dial.ThirdParty(open),
		Protocols:              protocols,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponseHeaders,
	}
}
