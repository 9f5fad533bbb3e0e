// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/orderflow-dev/orderflow/test/installation"
)

// installations are all that config/ offers to install.
var installations = []string{"default", "local", "cluster", "namespaced/operator", "namespaced/watched"}

// TestNoRuleGivesMoreThanItNames looks at every rule of every role there is.
func TestNoRuleGivesMoreThanItNames(t *testing.T) {
	for _, dir := range installations {
		seen := 0
		for _, object := range installation.Manifests(t, dir) {
			if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
				continue
			}
			role := decode[rbacv1.ClusterRole](t, object) // a Role has the same rules
			for _, rule := range role.Rules {
				seen++
				for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs, rule.ResourceNames} {
					if slices.Contains(list, "*") {
						t.Errorf("%s: %s %s has a wildcard: %v", dir, object.GetKind(), object.GetName(), rule)
					}
				}
				for _, verb := range rule.Verbs {
					if slices.Contains([]string{"escalate", "bind", "impersonate"}, verb) {
						t.Errorf("%s: %s %s may %s, and so become more than it is", dir, object.GetKind(), object.GetName(), verb)
					}
					if slices.Contains(rule.Resources, "secrets") && !slices.Contains([]string{"get", "create", "patch", "delete"}, verb) {
						t.Errorf("%s: %s %s may %s Secrets: they are read one by one, by name", dir, object.GetKind(), object.GetName(), verb)
					}
				}
			}
		}
		if seen == 0 && dir != "cluster" {
			t.Errorf("config/%s has no rule", dir)
		}
	}
}

// TestTheOperatorOfSomeNamespacesHasNoRightOnTheCluster: what it may do is in Roles, and these say what the ClusterRole of the other says.
func TestTheOperatorOfSomeNamespacesHasNoRightOnTheCluster(t *testing.T) {
	var everywhere, watched []rbacv1.PolicyRule
	for _, object := range installation.Manifests(t, "default") {
		if object.GetKind() == "ClusterRole" && object.GetName() == "orderflow-manager" {
			everywhere = decode[rbacv1.ClusterRole](t, object).Rules
		}
	}
	for _, dir := range []string{"namespaced/operator", "namespaced/watched"} {
		for _, object := range installation.Manifests(t, dir) {
			switch object.GetKind() {
			case "ClusterRole", "ClusterRoleBinding":
				t.Errorf("config/%s has %s %s", dir, object.GetKind(), object.GetName())
			case "Role":
				if object.GetName() == "orderflow-manager" {
					watched = decode[rbacv1.Role](t, object).Rules
				}
			}
		}
	}
	if len(everywhere) == 0 || !slices.EqualFunc(everywhere, watched, func(a, b rbacv1.PolicyRule) bool { return a.String() == b.String() }) {
		t.Errorf("the rules are\n%v\nin a namespace, and\n%v\non the cluster", watched, everywhere)
	}
}

func decode[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return typed
}
