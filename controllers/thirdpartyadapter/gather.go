// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/credential"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// facts are what was read for an adapter.
type facts struct {
	// secret says whether the Secret may be used; done where there is none to use.
	secret result.Result
	// groups refer to the adapter, sorted by name.
	groups []v1alpha1.MQConsumerGroup
	// reports of the groups' pods.
	reports []workersync.Report
}

// gather reads:
//  1. the Secret that spec.auth names,
//  2. the groups of the namespace that refer to the adapter,
//  3. what their pods said last.
func (r *Reconciler) gather(ctx context.Context, adapter *v1alpha1.ThirdPartyAdapter) (facts, error) {
	var seen facts
	if use, needed := secretUse(adapter); needed {
		_, seen.secret = credential.Read(ctx, r.Secrets, use)
	}
	groups := &v1alpha1.MQConsumerGroupList{}
	if err := r.Client.List(ctx, groups, client.InNamespace(adapter.Namespace)); err != nil {
		return facts{}, fmt.Errorf("list the groups that refer to adapter %s: %w", adapter.Name, err)
	}
	for _, group := range groups.Items {
		if slices.Contains(group.Spec.Handler.Adapters(), adapter.Name) {
			seen.groups = append(seen.groups, group)
			seen.reports = append(seen.reports, r.Reports(client.ObjectKeyFromObject(&group))...)
		}
	}
	slices.SortFunc(seen.groups, func(a, b v1alpha1.MQConsumerGroup) int { return strings.Compare(a.Name, b.Name) })
	return seen, nil
}

// secretUse is the use the adapter makes of a Secret, if it has authentication.
func secretUse(adapter *v1alpha1.ThirdPartyAdapter) (use credential.Use, needed bool) {
	auth := adapter.Spec.Auth
	if auth == nil {
		return use, false
	}
	var name string
	switch {
	case auth.Basic != nil:
		name, use.Field, use.Keys = auth.Basic.SecretRef.Name, "spec.auth.basic.secretRef", []string{worker.UsernameKey, worker.PasswordKey}
	case auth.Bearer != nil:
		name, use.Field, use.Keys = auth.Bearer.SecretRef.Name, "spec.auth.bearer.secretRef", []string{worker.TokenKey}
	case auth.APIKey != nil:
		name, use.Field, use.Keys = auth.APIKey.SecretRef.Name, "spec.auth.apiKey.secretRef", []string{worker.APIKeyKey}
	case auth.HMAC != nil:
		name, use.Field, use.Keys = auth.HMAC.SecretRef.Name, "spec.auth.hmac.secretRef", []string{worker.HMACKeyIDKey, worker.HMACSecretKey}
	case auth.OAuth2 != nil:
		name, use.Field, use.Keys = auth.OAuth2.SecretRef.Name, "spec.auth.oauth2.secretRef", []string{worker.ClientIDKey, worker.ClientSecretKey}
	}
	use.Name = types.NamespacedName{Namespace: adapter.Namespace, Name: name}
	urls := []string{adapter.Spec.URL}
	if auth.OAuth2 != nil {
		urls = append(urls, auth.OAuth2.TokenURL)
	}
	for _, u := range urls {
		if target, err := url.Parse(u); err == nil { // admission has parsed it before
			use.Hosts = append(use.Hosts, target.Hostname())
		}
	}
	return use, true
}
