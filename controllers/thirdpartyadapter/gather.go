// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/contract"
	"github.com/orderflow-dev/orderflow/controllers/credential"
	"github.com/orderflow-dev/orderflow/controllers/index"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// facts are what was read for an adapter.
type facts struct {
	// secrets say of each whether it may and can be used.
	secrets []result.Result
	// certificate is shown to the third party; nil if there is none that can be read.
	certificate *x509.Certificate
	// groups refer to the adapter, sorted by name.
	groups []v1alpha1.MQConsumerGroup
	// reports of the groups' pods; unheard says that the operator has just begun and did not ask all there are yet.
	reports []workersync.Report
	unheard bool
}

// gather reads:
//  1. the Secrets that spec.auth and spec.tls name,
//  2. the groups of the namespace that refer to the adapter,
//  3. what their pods said last.
func (r *Reconciler) gather(ctx context.Context, adapter *v1alpha1.ThirdPartyAdapter) (facts, error) {
	var seen facts
	for _, needed := range contract.Secrets(&adapter.Spec) {
		secret, read := credential.Read(ctx, r.Secrets, use(adapter, needed))
		if read.IsDone() {
			var shown *x509.Certificate
			if shown, read = usable(secret, needed, r.Now()); shown != nil {
				seen.certificate = shown
			}
		}
		seen.secrets = append(seen.secrets, read)
	}
	groups := &v1alpha1.MQConsumerGroupList{}
	if err := r.Client.List(ctx, groups, client.InNamespace(adapter.Namespace), client.MatchingFields{index.Adapter: adapter.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return facts{}, fmt.Errorf("list the groups that refer to adapter %s: %w", adapter.Name, err)
	}
	seen.groups = groups.Items
	for i := range seen.groups {
		group := &seen.groups[i]
		key := client.ObjectKeyFromObject(group)
		seen.reports = append(seen.reports, r.Reports(key)...)
		seen.unheard = seen.unheard || group.Status.Replicas > 0 && !r.Heard(key)
	}
	slices.SortFunc(seen.groups, func(a, b v1alpha1.MQConsumerGroup) int { return strings.Compare(a.Name, b.Name) })
	return seen, nil
}

// use is the use the adapter makes of the Secret. What is sent goes to the hosts of all its URLs.
func use(adapter *v1alpha1.ThirdPartyAdapter, needed contract.Secret) credential.Use {
	use := credential.Use{Name: types.NamespacedName{Namespace: adapter.Namespace, Name: needed.Name}, Field: needed.Field, Keys: needed.Keys}
	if !needed.Sent {
		return use
	}
	urls := []string{adapter.Spec.URL}
	if auth := adapter.Spec.Auth; auth.OAuth2 != nil {
		urls = append(urls, auth.OAuth2.TokenURL)
	}
	for _, u := range urls {
		if target, err := url.Parse(u); err == nil { // admission has parsed it before
			use.Hosts = append(use.Hosts, target.Hostname())
		}
	}
	return use
}
