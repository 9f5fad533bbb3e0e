// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/mqconsumergroup"
)

// slim drops what no reconciler reads of an object, of which there are thousands in memory: whether a spec of ours stands, package apply sees by its generation. What many
// objects say in the same words is there once.
func slim(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		o.Spec, o.Annotations = corev1.PodSpec{}, nil
	case *appsv1.Deployment:
		mqconsumergroup.Slim(o)
	case *networkingv1.NetworkPolicy:
		o.Spec = networkingv1.NetworkPolicySpec{}
	case *policyv1.PodDisruptionBudget:
		o.Spec = policyv1.PodDisruptionBudgetSpec{}
	case *v1alpha1.MQConsumerGroup:
		shareConditions(o.Status.Conditions)
	}
	o, err := meta.Accessor(object)
	if err != nil {
		return object, nil //nolint:nilerr // not an object: a tombstone
	}
	o.SetManagedFields(nil)
	annotations := o.GetAnnotations()
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	o.SetNamespace(shared(o.GetNamespace()))
	o.SetName(shared(o.GetName()))
	o.SetLabels(shareKeys(o.GetLabels()))
	o.SetAnnotations(shareKeys(annotations))
	owners := o.GetOwnerReferences()
	for i := range owners {
		owner := &owners[i]
		owner.APIVersion, owner.Kind, owner.Name, owner.UID = shared(owner.APIVersion), shared(owner.Kind), shared(owner.Name), shared(owner.UID)
	}
	return object, nil
}

// shared is one string for all that are equal.
func shared[T ~string](text T) T { return unique.Make(text).Value() }

func shareKeys(from map[string]string) map[string]string {
	if len(from) == 0 {
		return nil
	}
	to := make(map[string]string, len(from))
	for key, value := range from {
		to[shared(key)] = shared(value)
	}
	return to
}

func shareConditions(conditions []metav1.Condition) {
	for i := range conditions {
		c := &conditions[i]
		c.Type, c.Status, c.Reason, c.Message = shared(c.Type), shared(c.Status), shared(c.Reason), shared(c.Message)
	}
}
