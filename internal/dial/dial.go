// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package dial

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// keepAlive of connections to brokers, which are long-lived and often idle.
const keepAlive = 30 * time.Second

// Func connects to host:port, as net.Dialer.DialContext does.
type Func func(ctx context.Context, network, addr string) (net.Conn, error)

// RefusedError says that an address may not be dialled. It is configuration, not a failure of who was to be called.
type RefusedError struct {
	Addr netip.Addr
	// What the address is, for example link-local.
	What string
	// Advice says what to do, "" if Error says it all.
	Advice string
}

func (e *RefusedError) Error() string {
	message := fmt.Sprintf("the address %s is %s", e.Addr, e.What)
	if e.Advice != "" {
		message += ": " + e.Advice
	}
	return message
}

// Broker returns what connects to name servers and brokers.
func Broker() Func {
	return guard(rules{never: never()}, keepAlive,
		"no name server or broker can be there; set brokerIP1 in the broker's configuration to an address that pods can reach")
}

// Worker returns what connects to the pods of workers.
func Worker() Func { return guard(rules{never: never()}, 0, "no pod can be there") }

// ThirdParty returns what connects to third parties: never to private networks, but for the open ones.
func ThirdParty(open []netip.Prefix) Func {
	return guard(rules{never: never(), closed: private(), open: open}, 0, "")
}

func guard(r rules, keepAlive time.Duration, advice string) Func {
	dialer := &net.Dialer{KeepAlive: keepAlive, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("read the address to dial: %w", err)
		}
		if what := r.refuse(target.Addr()); what != "" {
			return &RefusedError{Addr: target.Addr(), What: what, Advice: advice}
		}
		return nil
	}}
	return dialer.DialContext
}
