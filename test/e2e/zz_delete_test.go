// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/test/scene"
)

// TestSampleDeleted comes last: its file sorts last, and tests run in the order of their files.
func TestSampleDeleted(t *testing.T) {
	if _, err := stage.Kubectl(t.Context(), "-n", stage.Namespace, "delete", "-k", scene.Sample(), "--timeout=90s"); err != nil {
		t.Fatal(err)
	}
	const kinds = "deployments,replicasets,pods,services,endpointslices,configmaps,secrets,serviceaccounts,poddisruptionbudgets,networkpolicies,orderflows,mqconsumergroups,mqclusters,thirdpartyadapters"
	var left []string
	within(t, 2*time.Minute, "nothing of OrderFlow's is left", func(ctx context.Context) (bool, error) {
		out, err := stage.Kubectl(ctx, "-n", stage.Namespace, "get", kinds, "-o", "name")
		left = ours(strings.Fields(out))
		return err == nil && len(left) == 0, err
	})
	if t.Failed() {
		t.Logf("left: %v", left)
	}
	// Topic and groups are Retain: they stay, with their messages and offsets.
	if _, err := stage.DeadLetters(t.Context()); err != nil {
		t.Errorf("the groups' topics should have stayed: %v", err)
	}
}

// ours leaves out what belongs to the shop and the stub, and what Kubernetes keeps in every namespace.
func ours(names []string) []string {
	var left []string
	for _, name := range names {
		_, object, _ := strings.Cut(name, "/")
		if !strings.HasPrefix(object, "shop") && !strings.HasPrefix(object, "third-party-stub") && object != "kube-root-ca.crt" && object != "default" {
			left = append(left, name)
		}
	}
	return left
}
