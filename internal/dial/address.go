// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package dial

import "net/netip"

// never lists networks that nobody OrderFlow calls is in, beside those net/netip knows by name. The CEL rules of MQCluster and ThirdPartyAdapter
// have them too; with dialtest the tests hold the latter to these.
func never() map[string][]netip.Prefix {
	return map[string][]netip.Prefix{
		"reserved": prefixes("0.0.0.0/8", "192.0.0.0/24", "240.0.0.0/4", "fec0::/10"),
		// A network's own NAT64, Teredo and 6to4 lead to the IPv4 address inside, which each hides in its own way.
		"IPv4 in disguise":   prefixes("64:ff9b:1::/48", "2001::/32", "2002::/16"),
		"a metadata service": prefixes("169.254.169.254/32", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32"),
	}
}

// private lists the networks that are not the Internet's.
func private() []netip.Prefix {
	return prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7")
}

func prefixes(cidrs ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(cidrs))
	for i, cidr := range cidrs {
		list[i] = netip.MustParsePrefix(cidr)
	}
	return list
}

func within(addr netip.Addr, list []netip.Prefix) bool {
	for _, prefix := range list {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// rules say of an address what it is if it may not be dialled, else "".
type rules struct {
	never map[string][]netip.Prefix
	// closed networks, but for those in open.
	closed, open []netip.Prefix
}

// meant is the IPv4 address in one of NAT64, by which a cluster of IPv6 alone reaches IPv4 (RFC 6052), else addr.
func meant(addr netip.Addr) netip.Addr {
	if !netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		return addr
	}
	bytes := addr.As16()
	return netip.AddrFrom4([4]byte(bytes[12:]))
}

func (r rules) refuse(addr netip.Addr) string {
	addr = meant(addr.Unmap().WithZone(""))
	for what, list := range r.never {
		if within(addr, list) {
			return what
		}
	}
	switch {
	case addr.IsLoopback(), addr.IsUnspecified():
		return "this machine's own"
	case addr.IsLinkLocalUnicast():
		return "link-local"
	case addr.IsMulticast():
		return "multicast"
	case within(addr, r.closed) && !within(addr, r.open):
		return "private, and no network is opened that contains it"
	}
	return ""
}
