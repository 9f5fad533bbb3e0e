// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package condition

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// ReadyChanged lets through the changes of an object that matter to those who refer to it: it came or went, or Ready changed. A new spec
// matters once Ready speaks of it: before, they could only wait for that. Everything else in a status, such as the time of the last look, would
// wake them for nothing.
func ReadyChanged(conditions func(client.Object) []metav1.Condition) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero() ||
			!sameReady(conditions(e.ObjectOld), conditions(e.ObjectNew))
	}}
}

func sameReady(a, b []metav1.Condition) bool {
	before, after := meta.FindStatusCondition(a, v1alpha1.ConditionReady), meta.FindStatusCondition(b, v1alpha1.ConditionReady)
	if before == nil || after == nil {
		return before == after
	}
	return before.ObservedGeneration == after.ObservedGeneration && before.Status == after.Status && before.Reason == after.Reason &&
		before.Message == after.Message
}
