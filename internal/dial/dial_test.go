// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package dial

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestAddressesThatMayBeDialled(t *testing.T) {
	open := prefixes("10.1.0.0/16", "fd12::/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10")
	broker, thirdParty := rules{never: never()}, rules{never: never(), closed: private(), open: open}
	type allowed struct{ broker, thirdParty bool }
	anyone, brokers, nobody := allowed{true, true}, allowed{broker: true}, allowed{}
	for addr, want := range map[string]allowed{
		"203.0.113.7": anyone, "8.8.8.8": anyone, "2a00:1450::1": anyone,
		"10.1.2.3": anyone, "fd12::7": anyone, "100.64.0.1": anyone, "::ffff:10.1.2.3": anyone,
		"10.2.0.1": brokers, "172.16.0.1": brokers, "192.168.1.1": brokers, "fd13::1": brokers, "198.18.0.1": brokers, "::ffff:192.168.1.1": brokers,
		"127.0.0.1": nobody, "127.9.9.9": nobody, "::1": nobody, "::ffff:127.0.0.1": nobody, "0.0.0.0": nobody, "::": nobody, "0.1.2.3": nobody,
		"169.254.169.254": nobody, "169.254.1.1": nobody, "fe80::1": nobody, "fd00:ec2::254": nobody, "100.100.100.200": nobody, "168.63.129.16": nobody,
		"224.0.0.1": nobody, "239.1.1.1": nobody, "ff02::1": nobody, "255.255.255.255": nobody, "240.0.0.1": nobody, "192.0.0.192": nobody,
		"64:ff9b::7f00:1": nobody, "2002:7f00:1::": nobody, "2001::1": nobody, "fec0::1": nobody, "fe80::1%eth0": nobody,
	} {
		parsed := netip.MustParseAddr(addr)
		if got := (allowed{broker.refuse(parsed) == "", thirdParty.refuse(parsed) == ""}); got != want {
			t.Errorf("%s: allowed %+v, want %+v", addr, got, want)
		}
	}
}

func TestNothingOfThisMachineIsDialled(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for name, dial := range map[string]Func{"brokers": Broker(), "third parties": ThirdParty(prefixes("127.0.0.0/8"))} {
		for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "169.254.169.254", "100.100.100.200"} {
			conn, err := dial(t.Context(), "tcp", net.JoinHostPort(host, port))
			if err == nil {
				conn.Close()
			}
			if refused := new(RefusedError); !errors.As(err, &refused) {
				t.Errorf("%s: dialling %s: %v, want it refused", name, host, err)
			}
		}
	}
	if _, err := Broker()(t.Context(), "tcp", listener.Addr().String()); err == nil || !strings.Contains(err.Error(), "set brokerIP1") {
		t.Errorf("a broker's address is refused with %v, want what to do", err)
	}
}
