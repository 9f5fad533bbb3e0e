// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package dial

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/internal/dial/dialtest"
)

func TestAddressesThatMayBeDialled(t *testing.T) {
	broker := rules{never: never()}
	thirdParty := rules{never: never(), closed: private(), open: prefixes(strings.Split(dialtest.Open, ",")...)}
	for addr, want := range dialtest.Addresses() {
		if got := (dialtest.Allowed{Broker: broker.refuse(addr) == "", ThirdParty: thirdParty.refuse(addr) == ""}); got != want {
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
	for name, dial := range map[string]Func{"brokers": Broker(), "workers": Worker(), "third parties": ThirdParty(prefixes("127.0.0.0/8"))} {
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

// What a third party may be dialled at, a broker may too, and no disguise of an IPv4 address is judged otherwise than the address itself.
func FuzzRefuse(f *testing.F) {
	for addr := range dialtest.Addresses() {
		f.Add(addr.AsSlice())
	}
	broker := rules{never: never()}
	thirdParty := rules{never: never(), closed: private(), open: prefixes(strings.Split(dialtest.Open, ",")...)}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		addr, ok := netip.AddrFromSlice(bytes)
		if !ok {
			return
		}
		if thirdParty.refuse(addr) == "" && broker.refuse(addr) != "" {
			t.Errorf("%s: open to third parties, to brokers it is %s", addr, broker.refuse(addr))
		}
		inner := addr.Unmap()
		if broker.refuse(addr) == "" && (inner.IsLoopback() || inner.IsUnspecified() || inner.IsLinkLocalUnicast() || inner.IsMulticast()) {
			t.Errorf("%s may be dialled", addr)
		}
		if !inner.Is4() {
			return
		}
		v4 := inner.As4()
		nat64 := netip.MustParseAddr("64:ff9b::").As16()
		copy(nat64[12:], v4[:])
		for _, disguise := range []netip.Addr{netip.AddrFrom16(inner.As16()), netip.AddrFrom16(nat64)} {
			if got, want := thirdParty.refuse(disguise), thirdParty.refuse(inner); got != want {
				t.Errorf("%s is %q, %s in it %q", disguise, got, inner, want)
			}
		}
	})
}
