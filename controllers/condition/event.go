// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package condition

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// RecordReady sends an event where Ready is among the transitions: a Warning where the object is stalled or was Ready before, else Normal. That something which is on its
// way is a step further is no event, nor that pods are replaced as somebody has edited it: an object that becomes Ready without trouble has one.
// conditions are the object's, as they are now.
func RecordReady(recorder events.EventRecorder, object runtime.Object, conditions []metav1.Condition, transitions []Transition) {
	for _, t := range transitions {
		if t.New.Type != v1alpha1.ConditionReady {
			continue
		}
		stalled := Is(conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue)
		if !stalled && (onItsWay(t.New) && onItsWay(t.Old) || rollsOut(t)) {
			continue
		}
		kind := corev1.EventTypeNormal
		if t.Old.Status == metav1.ConditionTrue || stalled {
			kind = corev1.EventTypeWarning
		}
		Event(recorder, object, kind, t.New.Reason, t.New.Message)
	}
}

// onItsWay reports whether Ready says no more than that something takes its time; the zero Condition is that of an object nobody has looked at.
func onItsWay(ready metav1.Condition) bool {
	switch ready.Reason {
	case "", v1alpha1.ReasonProgressing, v1alpha1.ReasonPodsNotReady, v1alpha1.ReasonGroupNotReady, v1alpha1.ReasonClusterNotReady, v1alpha1.ReasonAdapterNotReady:
		return ready.Status != metav1.ConditionTrue
	}
	return false
}

// rollsOut reports whether somebody has edited an object, and its pods, or those of its groups, are being replaced for that.
func rollsOut(ready Transition) bool {
	if ready.Old.ObservedGeneration == ready.New.ObservedGeneration || ready.New.Status != metav1.ConditionFalse {
		return false
	}
	switch ready.New.Reason {
	case v1alpha1.ReasonProgressing, v1alpha1.ReasonPodsNotReady, v1alpha1.ReasonGroupNotReady:
		return true
	}
	return false
}

// maxNote bounds the text of an event; the API refuses more than 1 KiB.
const maxNote = 1000

// Event sends one event. The reconciler is the only one who acts on our kinds, so every event has the same action.
func Event(recorder events.EventRecorder, object runtime.Object, kind, reason, message string) {
	if len(message) > maxNote {
		message = strings.ToValidUTF8(message[:maxNote], "") + "…"
	}
	recorder.Eventf(object, nil, kind, reason, "Reconcile", "%s", message)
}
