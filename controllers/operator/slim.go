// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
)

// slim drops what no reconciler reads, and of what there are thousands in memory.
func slim(object any) (any, error) {
	o, err := meta.Accessor(object)
	if err != nil {
		return object, nil //nolint:nilerr // not an object: a tombstone
	}
	o.SetManagedFields(nil)
	if annotations := o.GetAnnotations(); annotations[corev1.LastAppliedConfigAnnotation] != "" {
		delete(annotations, corev1.LastAppliedConfigAnnotation)
		o.SetAnnotations(annotations)
	}
	return object, nil
}

// slimPod is slim, and drops what the Deployment says as well.
func slimPod(object any) (any, error) {
	if p, is := object.(*corev1.Pod); is {
		p.Spec = corev1.PodSpec{}
		p.Annotations = nil
	}
	return slim(object)
}
