// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dialtest has the addresses by which everything is judged that says where a broker or a third party may be: package dial, and the rules
// of the API, which say no before anything is dialled.
package dialtest

import "net/netip"

// Open are the private networks that are opened for third parties.
const Open = "10.1.0.0/16,fd12::/16,127.0.0.0/8,169.254.0.0/16,100.64.0.0/10"

// Allowed says who may be at an address.
type Allowed struct{ Broker, ThirdParty bool }

// Addresses are examples of every kind.
func Addresses() map[netip.Addr]Allowed {
	addresses := map[netip.Addr]Allowed{}
	for allowed, examples := range map[Allowed][]string{
		{true, true}: {
			"203.0.113.7", "8.8.8.8", "2a00:1450::1", "10.1.2.3", "fd12::7", "100.64.0.1", "::ffff:10.1.2.3",
			"64:ff9b::808:808", "64:ff9b::a01:203", // NAT64 of 8.8.8.8 and 10.1.2.3
		},
		{Broker: true}: {
			"10.2.0.1", "172.16.0.1", "192.168.1.1", "fd13::1", "198.18.0.1", "::ffff:192.168.1.1", "64:ff9b::c0a8:101",
		},
		{}: {
			"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "0.1.2.3", "64:ff9b::7f00:1",
			"169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0", "64:ff9b::a9fe:a9fe",
			"fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16",
			"224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1", "255.255.255.255", "240.0.0.1", "192.0.0.192", "fec0::1",
			"64:ff9b:1::1", "2002:7f00:1::", "2001::1",
		},
	} {
		for _, example := range examples {
			addresses[netip.MustParseAddr(example)] = allowed
		}
	}
	return addresses
}
