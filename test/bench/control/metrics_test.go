// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
)

// counter is a line of apiserver_request_total.
var counter = regexp.MustCompile(`^apiserver_request_total\{.*resource="([^"]*)".*subresource="([^"]*)".*verb="(POST|PUT|PATCH|APPLY|DELETE)".*\} (\S+)$`)

// writes are the requests that change something which the API server has had so far, by resource. Leases are left out: they are renewed whatever there is to do.
func (s *server) writes(t *testing.T) map[string]int {
	t.Helper()
	set, err := kubernetes.NewForConfig(s.config)
	must(t, err)
	text, err := set.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	must(t, err)
	writes := map[string]int{}
	for line := range strings.Lines(string(text)) {
		m := counter.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || m[1] == "leases" {
			continue
		}
		n, err := strconv.ParseFloat(m[4], 64)
		must(t, err)
		writes[strings.TrimSuffix(m[1]+"/"+m[2], "/")] += int(n)
	}
	return writes
}

// since is what was added.
func since(before, after map[string]int) map[string]int {
	added := map[string]int{}
	for resource, n := range after {
		if n > before[resource] {
			added[resource] = n - before[resource]
		}
	}
	return added
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
