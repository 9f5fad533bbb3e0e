// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package port

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestNoOutgoingConnectionTakesAPort(t *testing.T) {
	limits, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Skip("this system does not say from where it takes the ports of outgoing connections")
	}
	lowest, err := strconv.Atoi(strings.Fields(string(limits))[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		_, port, err := net.SplitHostPort(Free(t))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < first || n > last || n >= lowest {
			t.Errorf("port %s is dealt out, want one from %d to %d and below %d", port, first, last, lowest)
		}
	}
}

func TestAPortThatIsTakenIsNotDealtOut(t *testing.T) {
	taken := map[string]bool{}
	for range 50 {
		l, err := Listen("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if address := l.Addr().String(); taken[address] {
			t.Errorf("%s is dealt out twice", address)
		} else {
			taken[address] = true
		}
	}
	if _, err := Listen("203.0.113.1"); err == nil {
		t.Error("a port of somebody else's host is dealt out")
	}
}
