// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	keepAlive = 30 * time.Second
	// metadata services of clouds that are not at a link-local address.
	metadataV6       = "fd00:ec2::254"
	metadataAlicloud = "100.100.100.200"
)

// DialContext connects to name servers and brokers, and refuses addresses no broker has: an MQCluster, or the route a name server replies,
// must not lead the operator to itself or to the cloud's metadata service. Private networks are where brokers live.
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: keepAlive, Control: refuseOwn}
	return dialer.DialContext(ctx, network, addr)
}

// refuseOwn sees the address after the name was looked up, just before it is dialled.
func refuseOwn(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address to dial: %w", err)
	}
	addr := target.Addr().Unmap()
	switch {
	case addr.IsLoopback(), addr.IsUnspecified(), addr.IsLinkLocalUnicast(), addr.IsMulticast(),
		addr == netip.MustParseAddr(metadataV6), addr == netip.MustParseAddr(metadataAlicloud):
		return errors.New("a broker cannot be at a loopback, link-local, multicast or metadata address: set brokerIP1 in the broker's configuration to an address that pods can reach")
	}
	return nil
}
