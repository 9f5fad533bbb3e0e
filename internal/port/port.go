// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package port

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports dealt out are from first to last; hack/local gives those above to RocketMQ.
const (
	first = 10000
	last  = 14999
	tries = 200
)

// Listen listens at a port of a host. The choice is random, so that programs which choose at the same moment rarely meet.
func Listen(host string) (net.Listener, error) {
	var err error
	for range tries {
		var l net.Listener
		address := net.JoinHostPort(host, strconv.Itoa(first+rand.IntN(last-first+1)))
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", address); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("find a free port of %s between %d and %d: %w", host, first, last, err)
}

// Free returns a loopback address, host:port, at which nobody listens.
func Free(t testing.TB) string {
	t.Helper()
	l, err := Listen("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
