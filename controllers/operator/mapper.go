// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// kinds are all the operator reads or writes; each lives in a namespace.
func kinds() []client.Object {
	return []client.Object{
		&v1alpha1.MQCluster{}, &v1alpha1.OrderFlow{}, &v1alpha1.MQConsumerGroup{}, &v1alpha1.ThirdPartyAdapter{}, &v1alpha1.DeadLetterReplay{},
		&corev1.ConfigMap{}, &corev1.Pod{}, &corev1.Secret{}, &corev1.Service{}, &corev1.ServiceAccount{},
		&appsv1.Deployment{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
	}
}

// mapper says where the kinds are served without asking an API server. An operator that asked could not start while there is none: it would end, again and again, and
// the kubelet would let it wait for up to five minutes after the API server is back.
func mapper(scheme *runtime.Scheme) (meta.RESTMapper, error) {
	known := meta.NewDefaultRESTMapper(nil)
	for _, object := range kinds() {
		gvk, err := apiutil.GVKForObject(object, scheme)
		if err != nil {
			return nil, fmt.Errorf("look up a kind: %w", err)
		}
		plural, singular := meta.UnsafeGuessKindToResource(gvk)
		if gvk.Kind == "DeadLetterReplay" { // the guess is replaies
			plural.Resource = "deadletterreplays"
		}
		known.AddSpecific(gvk, plural, singular, meta.RESTScopeNamespace)
		known.Add(gvk.GroupVersion().WithKind(gvk.Kind+"List"), meta.RESTScopeNamespace) // as discovery does: a cache of several namespaces asks for the scope of lists
	}
	return known, nil
}
