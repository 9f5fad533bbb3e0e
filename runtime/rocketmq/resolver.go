// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// lookupTimeout bounds one resolution of all names: the library resolves while it holds a lock.
const lookupTimeout = 3 * time.Second

// addressPrefix makes the library skip its own check of an address, which mistakes some IPv6 addresses for two; it strips
// the prefix before it dials.
const addressPrefix = "http://"

// resolver turns name servers' host names into addresses, each time it is asked. The library itself refuses host names.
type resolver struct {
	servers []string // host:port
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	logger  *slog.Logger

	mu   sync.Mutex
	last []string // what the last successful resolution gave
}

var _ primitive.NsResolver = (*resolver)(nil)

// Resolve implements the library's interface. When names cannot be resolved it answers what they last were.
func (r *resolver) Resolve() []string {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	addrs, err := r.resolve(ctx)
	if err != nil {
		r.logger.Warn("name servers not resolved, using their last addresses", "error", err)
	}
	return addrs
}

// Description implements the library's interface.
func (r *resolver) Description() string { return "name servers " + strings.Join(r.servers, ", ") }

// resolve answers the sorted addresses of all name servers. A name that does not resolve is left out while another one
// does; when none does, the error says why and the last known addresses are answered, if any.
func (r *resolver) resolve(ctx context.Context) ([]string, error) {
	var addrs []string
	var firstErr error
	for _, server := range r.servers {
		found, err := r.resolveOne(ctx, server)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		addrs = append(addrs, found...)
	}
	slices.Sort(addrs)
	addrs = slices.Compact(addrs)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(addrs) == 0 {
		return slices.Clone(r.last), firstErr
	}
	r.last = addrs
	return slices.Clone(addrs), nil
}

func (r *resolver) resolveOne(ctx context.Context, server string) ([]string, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, fmt.Errorf("name server %q: %w", server, err)
	}
	ips, err := r.lookup(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve name server %q: %w", host, err)
	}
	addrs := make([]string, 0, len(ips))
	for _, ip := range ips {
		addrs = append(addrs, addressPrefix+net.JoinHostPort(ip.Unmap().String(), port))
	}
	return addrs, nil
}
