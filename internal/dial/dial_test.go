// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package dial

import (
	"errors"
	"net"
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
