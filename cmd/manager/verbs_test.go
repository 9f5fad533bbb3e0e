// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/test/installation"
)

// unused are rights the role has and the life of the sample does not need, with what does.
var unused = map[string]string{}

// right is a verb on a resource.
type right struct{ verb, group, resource string }

func (r right) String() string { return r.verb + " " + r.resource + "." + r.group }

// verbs are the rights that somebody made use of.
type verbs struct {
	mu   sync.Mutex
	used map[right]bool
}

// of is config with all that is called through it noted.
func (v *verbs) of(config *rest.Config) *rest.Config {
	v.used = map[right]bool{}
	info := &request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if call, err := info.NewRequestInfo(r); err == nil && call.IsResourceRequest {
				resource := call.Resource
				if call.Subresource != "" {
					resource += "/" + call.Subresource
				}
				v.mu.Lock()
				v.used[right{call.Verb, call.APIGroup, resource}] = true
				v.mu.Unlock()
			}
			return next.RoundTrip(r)
		})
	})
	return config
}

// wantAll fails for each right of the operator's role that was neither used nor is in the list of the unused.
func (v *verbs) wantAll(t *testing.T, i *installation.Installation) {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	if err := i.Admin.Get(t.Context(), client.ObjectKey{Name: "orderflow-manager"}, role); err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				r := right{verb, rule.APIGroups[0], resource}
				if reason := unused[r.String()]; v.used[r] == (reason != "") {
					t.Errorf("%s: used %t, and the list of the unused says %q", r, v.used[r], reason)
				}
			}
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
