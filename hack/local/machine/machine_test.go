// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLackingNamesThePackagesOfWhatIsNowhere(t *testing.T) {
	there := map[string]bool{"runc": true, "/opt/cni/bin/bridge": true}
	got := lacking(Node(), func(path string) bool { return there[path] })
	if diff := cmp.Diff([]string{"util-linux", "iproute2", "iptables"}, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestAvailableMiB(t *testing.T) {
	got, err := availableMiB(strings.NewReader("MemTotal:       24689844 kB\nMemFree:  1 kB\nMemAvailable:    4194304 kB\n"))
	if err != nil || got != 4096 {
		t.Errorf("%d MiB, error %v, want 4096", got, err)
	}
	if _, err := availableMiB(strings.NewReader("MemTotal: 1 kB\n")); err == nil {
		t.Error("a machine that does not say what is available was taken for one that does")
	}
}
