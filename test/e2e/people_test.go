// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestWhoMayEditANamespaceMayEditItsFlows asks a cluster that aggregates roles, as a bare API server does not.
func TestWhoMayEditANamespaceMayEditItsFlows(t *testing.T) {
	can := func(ctx context.Context, who, verb, what string) string {
		answer, err := stage.Kubectl(ctx, "-n", stage.Namespace, "auth", "can-i", "--as", who, verb, what+".orderflow.dev")
		if answer = strings.TrimSpace(answer); answer != "no" && err != nil { // no is a failure of the command, too
			t.Fatalf("asking whether %s may %s %s: %v", who, verb, what, err)
		}
		return answer
	}
	for _, person := range []struct{ role, may, mayNot string }{
		{"view", "list", "create"},
		{"edit", "create", "deletecollection"},
		{"admin", "deletecollection", ""},
	} {
		who := "somebody-who-may-" + person.role
		if _, err := stage.Kubectl(t.Context(), "-n", stage.Namespace, "create", "rolebinding", who, "--clusterrole", person.role, "--user", who); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"orderflows", "mqconsumergroups", "thirdpartyadapters", "mqclusters", "deadletterreplays"} {
			within(t, time.Minute, who+" may "+person.may+" "+kind, func(ctx context.Context) (bool, error) {
				return can(ctx, who, person.may, kind) == "yes", nil
			})
			if person.mayNot != "" && can(t.Context(), who, person.mayNot, kind) != "no" {
				t.Errorf("%s may %s %s", who, person.mayNot, kind)
			}
		}
	}
}
