// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClash(t *testing.T) {
	for name, test := range map[string]struct {
		addresses map[string][]netip.Prefix
		want      string // part of the sentence, or "" for none
	}{
		"a machine on other networks has room": {
			addresses: map[string][]netip.Prefix{"lo": {netip.MustParsePrefix("127.0.0.0/8")}, "eth0": {netip.MustParsePrefix("192.168.1.0/24")}},
		},
		"IPv6 is no concern": {
			addresses: map[string][]netip.Prefix{"eth0": {netip.MustParsePrefix("fd00::/64")}},
		},
		"a network inside of the pods' is refused by its interface's name": {
			addresses: map[string][]netip.Prefix{"vpn0": {netip.MustParsePrefix("10.191.7.0/24")}},
			want:      "interface vpn0 has 10.191.7.0/24",
		},
		"a network around ours is refused": {
			addresses: map[string][]netip.Prefix{"corp0": {netip.MustParsePrefix("10.0.0.0/8")}},
			want:      "interface corp0 has 10.0.0.0/8",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := clash(test.addresses)
			if test.want == "" && err != nil {
				t.Error(err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestHierarchies(t *testing.T) {
	for name, test := range map[string]struct {
		mountinfo string
		want      []string
	}{
		"cgroup v2 has one hierarchy": {
			mountinfo: "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
			want:      []string{"/sys/fs/cgroup"},
		},
		"cgroup v1 has one per controller, and the tmpfs they are mounted on is none": {
			mountinfo: "30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" +
				"31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
				"32 30 0:28 / /sys/fs/cgroup/pids rw shared:7 master:2 - cgroup cgroup rw,pids\n",
			want: []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"},
		},
		"a machine without cgroups has none": {mountinfo: "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, hierarchies(test.mountinfo)); diff != "" {
				t.Errorf("hierarchies (-want +got):\n%s", diff)
			}
		})
	}
}
