// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"maps"
	"reflect"
	"slices"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/mqconsumergroup"
)

// slimmer makes objects small, of which the operator has thousands in memory: it drops what no reconciler reads, and holds once what many objects say in the same words. Whether a spec of
// ours stands, package apply sees by its generation.
type slimmer struct {
	// owners are the references to them, and labels what their objects are labelled with, of those that were met last.
	owners, labels *lru.Cache
}

// maxShared is how many of each are known. An owner's objects come one kind after the other, so that it is of use for so many owners.
const maxShared = 20000

func newSlimmer() slimmer { return slimmer{owners: lru.New(maxShared), labels: lru.New(maxShared)} }

// labelled tells apart what objects of one owner are labelled with: most have the same, some have more.
type labelled struct {
	owner types.UID
	n     int
}

func (s slimmer) slim(object any) (any, error) {
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
		o.Status.Conditions = sharedConditions(o.Status.Conditions)
	}
	o, err := meta.Accessor(object)
	if err != nil {
		return object, nil //nolint:nilerr // not an object: a tombstone
	}
	o.SetManagedFields(nil)
	annotations := o.GetAnnotations()
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	apply.Slim(o)
	o.SetAnnotations(sharedStrings(o.GetAnnotations()))
	o.SetNamespace(shared(o.GetNamespace()))
	o.SetName(shared(o.GetName()))
	owners := o.GetOwnerReferences()
	if len(owners) != 1 {
		o.SetLabels(sharedStrings(o.GetLabels()))
		return object, nil
	}
	owner := owners[0].UID
	if _, is := object.(*corev1.Pod); is {
		o.SetOwnerReferences(nil)
	} else {
		o.SetOwnerReferences(known(s.owners, owner, owners, func(a, b []metav1.OwnerReference) bool { return reflect.DeepEqual(a, b) }, slices.Clone))
	}
	o.SetLabels(known(s.labels, labelled{owner, len(o.GetLabels())}, o.GetLabels(), maps.Equal, sharedStrings))
	return object, nil
}

// known is what is known by the key if it equals the value, and else the value made small, which is known from now on.
func known[K comparable, V any](all *lru.Cache, key K, value V, equal func(a, b V) bool, small func(V) V) V {
	if before, is := all.Get(key); is && equal(before.(V), value) { //nolint:forcetypeassert // nothing else is added
		return before.(V) //nolint:forcetypeassert // as above
	}
	value = small(value)
	all.Add(key, value)
	return value
}

// shared is one string for all that are equal.
func shared[T ~string](text T) T { return unique.Make(text).Value() }

func sharedStrings(from map[string]string) map[string]string {
	if len(from) == 0 {
		return nil
	}
	to := make(map[string]string, len(from))
	for key, value := range from {
		to[shared(key)] = shared(value)
	}
	return to
}

// sharedConditions has no more space than it needs.
func sharedConditions(from []metav1.Condition) []metav1.Condition {
	to := slices.Clone(from)
	for i := range to {
		c := &to[i]
		c.Type, c.Status, c.Reason, c.Message = shared(c.Type), shared(c.Status), shared(c.Reason), shared(c.Message)
	}
	return to
}
