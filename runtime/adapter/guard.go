// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// addressError says that an address may not be dialled. It is configuration, not a failure of the third party.
type addressError struct {
	addr netip.Addr
	why  string
}

func (e *addressError) Error() string {
	return fmt.Sprintf("the host's address %s is %s", e.addr, e.why)
}

// never are networks no third party is in, beside those net/netip knows by name.
var never = map[string][]netip.Prefix{
	"not one of a third party": prefixes(
		"0.0.0.0/8", "192.0.0.0/24", "240.0.0.0/4", "fec0::/10", // this network, protocol assignments, reserved, site-local
		"64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"), // IPv4 in disguise: NAT64, Teredo, 6to4
	"a metadata service": prefixes("169.254.169.254/32", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32"),
}

// private are networks that are closed unless opened.
var private = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7")

func prefixes(cidrs ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(cidrs))
	for i, cidr := range cidrs {
		list[i] = netip.MustParsePrefix(cidr)
	}
	return list
}

func within(addr netip.Addr, list []netip.Prefix) bool {
	for _, prefix := range list {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// checkAddress refuses addresses a third party may not have.
func checkAddress(addr netip.Addr, open []netip.Prefix) error {
	addr = addr.Unmap().WithZone("")
	for why, list := range never {
		if within(addr, list) {
			return &addressError{addr, why}
		}
	}
	switch {
	case addr.IsLoopback(), addr.IsUnspecified():
		return &addressError{addr, "this machine's own"}
	case addr.IsLinkLocalUnicast():
		return &addressError{addr, "link-local"}
	case addr.IsMulticast():
		return &addressError{addr, "multicast"}
	case within(addr, private) && !within(addr, open):
		return &addressError{addr, "private, and no network is opened that contains it"}
	}
	return nil
}

const (
	maxResponseHeaders = 64 << 10
	// idleTimeout is shorter than what load balancers have, so that we seldom write into a connection they are closing.
	idleTimeout = 50 * time.Second
)

// NewTransport returns a transport that dials only where third parties may be, and open says which private networks those are. It keeps up to idle
// connections to a host for reuse. It speaks HTTP/1.1: with HTTP/2 one broken connection would take all requests in flight with it.
func NewTransport(open []netip.Prefix, idle int) *http.Transport {
	dialer := &net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return checkAddress(addr.Addr(), open)
	}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            dialer.DialContext,
		Protocols:              protocols,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponseHeaders,
	}
}
