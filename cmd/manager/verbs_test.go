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
var unused = map[string]string{
	"delete configmaps.":                                "the structure before, once no pod runs from it: TestAnotherHandlerReplacesPodsOneByOne",
	"delete deployments.apps":                           "of a group that is deleted with its broker's group: its pods stop first",
	"update deadletterreplays/finalizers.orderflow.dev": "where owner references are checked (OwnerReferencesPermissionEnforcement), who makes objects of it needs it",
	"update mqconsumergroups/finalizers.orderflow.dev":  "the same",
	"update orderflows/finalizers.orderflow.dev":        "the same",
}

// Rights that the sample may need or not, as its time goes.
const (
	behind   = "what was made a moment ago, and what others have made, is read where a cache does not have it and it cannot be made: TestWhatTheCacheDoesNotHaveIsMadeButNotWrittenOver"
	repeated = "an event that comes again is counted"
)

// seldom are these, with what needs them.
var seldom = map[string]string{
	"get configmaps.":                       behind,
	"get serviceaccounts.":                  behind,
	"get services.":                         behind,
	"get deployments.apps":                  behind,
	"get networkpolicies.networking.k8s.io": behind,
	"get poddisruptionbudgets.policy":       behind,
	"get mqconsumergroups.orderflow.dev":    behind,
	"patch events.events.k8s.io":            repeated,
}

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
				v.use(call.Verb, call.APIGroup, resource)
				if call.Verb == "watch" { // an API server that does not begin a watch with what there is is asked for a list before
					v.use("list", call.APIGroup, resource)
				}
				answer, err := next.RoundTrip(r)
				if err == nil && answer.StatusCode == http.StatusCreated { // whatever was patched was not there
					v.use("create", call.APIGroup, resource)
				}
				return answer, err
			}
			return next.RoundTrip(r)
		})
	})
	return config
}

func (v *verbs) use(verb, group, resource string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used[right{verb, group, resource}] = true
}

// wantAll fails for each right of the operator's role that was neither used nor is in the lists of the unused and the seldom used.
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
				if seldom[r.String()] != "" {
					continue
				}
				if reason := unused[r.String()]; v.used[r] == (reason != "") {
					t.Errorf("%s: used %t, and the list of the unused says %q", r, v.used[r], reason)
				}
			}
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
