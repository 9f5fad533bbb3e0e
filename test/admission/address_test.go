// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"net/netip"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/internal/dial/dialtest"
)

const notThirdParty = "url must not point to a loopback, link-local or metadata address, nor to another that is reserved: a third party has an address of its own"

// testURLs wants a URL refused if its host is one that is never dialled, and only then.
func testURLs(t *testing.T, api *server) {
	hosts := map[string]bool{
		"api.example.com": true, "localhost.example.com": true, "1.example.com": true, "metadata.example.com": true,
		"localhost": false, "LOCALHOST": false, "localhost.": false, "api.localhost": false, "metadata": false, "metadata.google.internal.": false,
		"[0:0:0:0:0:0:0:1]": false, "127.1": false, "0x7f.0.0.1": false, "2130706433": false, "0177.0.0.1": false,
	}
	for addr, allowed := range dialtest.Addresses() {
		// One in IPv6 is an IPv4 address in disguise: it may be dialled where a name leads to it, and is nothing to write down.
		disguised := addr.Is4In6() || netip.MustParsePrefix("64:ff9b::/96").Contains(addr)
		host := addr.String()
		if addr.Is6() {
			host = "[" + strings.ReplaceAll(host, "%", "%25") + "]"
		}
		hosts[host] = allowed.Broker && !disguised // private networks are opened by the operator's flags
	}
	for host, want := range hosts {
		adapter := object(t, api.valid["ThirdPartyAdapter"], map[string]any{"spec.url": "http://" + host + ":8080/v1"})
		err := api.Create(t.Context(), adapter, client.DryRunAll)
		if want && err != nil || !want && (err == nil || !strings.Contains(err.Error(), notThirdParty)) {
			t.Errorf("%s: accepted is to be %t: %v", host, want, err)
		}
	}
}
