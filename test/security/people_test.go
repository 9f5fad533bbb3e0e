// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// verbs that each level has, beside those of the level before.
var levels = []struct {
	name             string
	verbs, subverbs  []string
	subverbsOfStatus []string
}{
	{name: "view", verbs: []string{"get", "list", "watch"}, subverbs: []string{"get"}, subverbsOfStatus: []string{"get"}},
	{name: "edit", verbs: []string{"create", "delete", "patch", "update"}, subverbs: []string{"patch", "update"}},
	{name: "admin", verbs: []string{"deletecollection"}},
}

// testPeople binds each role of each kind to a user of its own, and asks the API server for every verb.
func testPeople(t *testing.T, i *installation.Installation) {
	shop := i.Namespace(t, "people")
	for _, crd := range crds(t) {
		resource := crd.Spec.Names.Plural
		may := map[string][]string{}
		for _, level := range levels {
			may[resource] = append(may[resource], level.verbs...)
			may[resource+"/status"] = append(may[resource+"/status"], level.subverbsOfStatus...)
			may[resource+"/scale"] = append(may[resource+"/scale"], level.subverbs...)
			role := "orderflow-" + resource + "-" + level.name
			wantAggregated(t, i, role, level.name)
			i.Create(t, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: role},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role}},
			})
			i.AwaitMay(t, access(role, shop, level.verbs[0], resource))
			for what, allowed := range may {
				if strings.HasSuffix(what, "/scale") && crd.Spec.Versions[0].Subresources.Scale == nil {
					continue
				}
				for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
					if got, want := i.May(t, access(role, shop, verb, what)), slices.Contains(allowed, verb); got != want {
						t.Errorf("%s may %s %s: %t, want %t", role, verb, what, got, want)
					}
				}
			}
			if i.May(t, access(role, "default", "get", resource)) || i.May(t, access(role, shop, "get", "secrets")) {
				t.Errorf("%s may read elsewhere, or else", role)
			}
		}
	}
}

// wantAggregated wants the label by which kube-controller-manager, which runs in e2e alone, adds the role to the cluster's own.
func wantAggregated(t *testing.T, i *installation.Installation, name, level string) {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	if err := i.Admin.Get(t.Context(), clientKey(name), role); err != nil {
		t.Errorf("a kind lacks a role, see config/roles: %v", err)
	}
	if len(role.Labels) != 1 || role.Labels["rbac.authorization.k8s.io/aggregate-to-"+level] != "true" {
		t.Errorf("%s has the labels %v", name, role.Labels)
	}
}

// access is the question whether the user may do that to OrderFlow's kinds, or to Secrets.
func access(user, namespace, verb, what string) authorizationv1.SubjectAccessReviewSpec {
	group := v1alpha1.GroupVersion.Group
	resource, subresource, _ := strings.Cut(what, "/")
	if resource == "secrets" {
		group = ""
	}
	return authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
	}}
}

func crds(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	var list []*apiextensionsv1.CustomResourceDefinition
	for _, object := range installation.Manifests(t, "crd") {
		list = append(list, decode[apiextensionsv1.CustomResourceDefinition](t, object))
	}
	if len(list) == 0 {
		t.Fatal("there is no CRD")
	}
	return list
}
