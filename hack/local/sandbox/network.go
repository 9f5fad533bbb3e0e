// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"net/netip"
)

// The addresses of the local cluster: private ranges that neither Docker, Podman, kind nor the usual CNIs hand out.
const (
	Host     = "10.190.0.1" // this machine, as pods see it
	Node     = "10.190.0.2" // the node: API server, kubelet, cluster DNS
	Broker   = "10.190.0.3" // RocketMQ
	Link     = "10.190.0.0/24"
	Pods     = "10.191.0.0/16"
	Services = "10.192.0.0/16"
	API      = "10.192.0.1" // the Service "kubernetes": the first address of Services
)

// link is the machine's end of the veth pair.
const link = "orderflow0"

// clash says with a sentence which of a machine's networks overlaps with one of ours, or nothing.
func clash(addresses map[string][]netip.Prefix) error {
	for name, prefixes := range addresses {
		if name == link {
			continue
		}
		for _, theirs := range prefixes {
			for _, ours := range []string{Link, Pods, Services} {
				if netip.MustParsePrefix(ours).Overlaps(theirs) {
					return fmt.Errorf("interface %s has %s, which overlaps with %s of the local cluster: take it down first", name, theirs, ours)
				}
			}
		}
	}
	return nil
}
