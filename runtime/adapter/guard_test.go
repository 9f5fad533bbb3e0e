// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"testing"
)

func TestCheckAddress(t *testing.T) {
	open := prefixes("10.1.0.0/16", "fd12::/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10")
	for addr, allowed := range map[string]bool{
		"203.0.113.7": true, "8.8.8.8": true, "2a00:1450::1": true,
		"10.1.2.3": true, "fd12::7": true, "100.64.0.1": true, "::ffff:10.1.2.3": true,
		"10.2.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "fd13::1": false, "198.18.0.1": false, "::ffff:192.168.1.1": false,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "::": false, "0.1.2.3": false,
		"169.254.169.254": false, "169.254.1.1": false, "fe80::1": false, "fd00:ec2::254": false, "100.100.100.200": false, "168.63.129.16": false,
		"224.0.0.1": false, "239.1.1.1": false, "ff02::1": false, "255.255.255.255": false, "240.0.0.1": false, "192.0.0.192": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "fec0::1": false, "fe80::1%eth0": false,
	} {
		if err := checkAddress(netip.MustParseAddr(addr), open); (err == nil) != allowed {
			t.Errorf("%s: allowed should be %v, got %v", addr, allowed, err)
		}
	}
}

func hmacHex(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
