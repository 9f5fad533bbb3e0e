// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker_test

import (
	"testing"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestPodOfClientID(t *testing.T) {
	for name, test := range map[string]struct {
		id             string
		namespace, pod string
		ok             bool
	}{
		"the id of a pod":                        {worker.ClientID("shop", "push-5d9c-x2x4b"), "shop", "push-5d9c-x2x4b", true},
		"the id of a pod that holds a slot":      {worker.ClientID("shop", "push-5d9c-x2x4b") + "#3", "shop", "push-5d9c-x2x4b", true},
		"the id of a Java client is foreign":     {"10.1.2.3@1#123456789", "", "", false},
		"an id with an empty part is foreign":    {"/push", "", "", false},
		"an id with too many parts is foreign":   {"a/b/c", "", "", false},
		"an id that is only a name is foreign":   {"push", "", "", false},
		"a slot cannot stand in for the pod":     {"shop/#1", "", "", false},
		"nothing at all is foreign, not a panic": {"", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			namespace, pod, ok := worker.PodOfClientID(test.id)
			if namespace != test.namespace || pod != test.pod || ok != test.ok {
				t.Errorf("got (%q, %q, %t), want (%q, %q, %t)", namespace, pod, ok, test.namespace, test.pod, test.ok)
			}
		})
	}
}
