// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package condition

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// ReadyChanged lets through the changes of an object that matter to those who refer to it: it came or went, or Ready changed. A new spec
// matters once Ready speaks of it: before, they could only wait for that. Everything else in a status, what is said of an object that goes on being Ready
// included, would wake them for nothing.
func ReadyChanged(conditions func(client.Object) []metav1.Condition) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return goes(e) || !sameReady(conditions(e.ObjectOld), conditions(e.ObjectNew))
	}}
}

// Turned lets through of these what nobody should wait for: the object came or goes, Ready speaks of another spec, or it became Ready, or stalls, or does so no more.
func Turned(conditions func(client.Object) []metav1.Condition) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := conditions(e.ObjectOld), conditions(e.ObjectNew)
		turned := func(kind string) bool {
			return Is(was, kind, metav1.ConditionTrue) != Is(is, kind, metav1.ConditionTrue)
		}
		return goes(e) || spokenOf(was) != spokenOf(is) || turned(v1alpha1.ConditionReady) || turned(v1alpha1.ConditionStalled)
	}}
}

// Counted lets through that other numbers of a group's messages wait, or that it has another number of pods.
func Counted() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			was, is := e.ObjectOld.(*v1alpha1.MQConsumerGroup).Status, e.ObjectNew.(*v1alpha1.MQConsumerGroup).Status //nolint:forcetypeassert // of a watch on this kind
			return !ptr.Equal(was.Lag, is.Lag) || !ptr.Equal(was.RetryLag, is.RetryLag) || !ptr.Equal(was.DeadLetters, is.DeadLetters) || was.ReadyReplicas != is.ReadyReplicas
		},
	}
}

// goes reports whether the object is being deleted from now on.
func goes(e event.UpdateEvent) bool {
	return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
}

// spokenOf is the generation that Ready speaks of.
func spokenOf(conditions []metav1.Condition) int64 {
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.ObservedGeneration
	}
	return 0
}

func sameReady(a, b []metav1.Condition) bool {
	before, after := meta.FindStatusCondition(a, v1alpha1.ConditionReady), meta.FindStatusCondition(b, v1alpha1.ConditionReady)
	if before == nil || after == nil {
		return before == after
	}
	if before.ObservedGeneration != after.ObservedGeneration || before.Status != after.Status || before.Reason != after.Reason {
		return false
	}
	return after.Status == metav1.ConditionTrue || before.Message == after.Message
}
