// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"path"
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/orderflow-dev/orderflow/test/request"
)

// writes are the requests that change something which the API server has had so far, by resource. Leases are left out: they are renewed whatever there is to do.
func (s *server) writes(t *testing.T) map[string]int {
	t.Helper()
	set, err := kubernetes.NewForConfig(s.config)
	must(t, err)
	text, err := set.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	must(t, err)
	counts, err := request.Counts(bytes.NewReader(text))
	must(t, err)
	writes := map[string]int{}
	for _, c := range counts {
		switch c.Verb {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE":
			if c.Resource != "leases" {
				writes[path.Join(c.Resource, c.Subresource)] += c.N
			}
		}
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
