// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

const (
	// untoldOnItsWay is for how long a group that is on its way may say nothing new of it.
	untoldOnItsWay = 5 * time.Second
	// untoldNew is for how long nothing may be said of a group that is new: kubectl describe shows nothing yet, and kstatus, by observedGeneration -1, that it is on its way.
	untoldNew = time.Second
	// untoldFirstWords is for how long Ready may wait, with what waits since before, for the first answer of its pods and the first count of its messages, which would be a write of their own. They
	// come within a second or two, later where thousands are made at once.
	untoldFirstWords = untoldOnItsWay + 15*time.Second
	// untoldTakenUp is for how long a group may stay Ready until Kubernetes has looked at a Deployment in which it is not known to be anything new: longer than its controller is behind where thousands are
	// applied at once.
	untoldTakenUp = 20 * time.Second
	// untoldLook lies between two looks at a group whose pods are about to answer.
	untoldLook = time.Second
)

// mayWait is for how long what is said of a group may wait for more: on its way it has several things to say within seconds. What went wrong, what is told once and would be forgotten with the pod that
// told it, and a claim, which is written before the brokers are, are written at once.
func mayWait(before, group *v1alpha1.MQConsumerGroup) time.Duration {
	was, is := before.Status, group.Status
	isNew := len(was.Conditions) == 0
	switch {
	case !group.DeletionTimestamp.IsZero(), was.ClusterIdentity != is.ClusterIdentity, was.ObservedGeneration != is.ObservedGeneration && !isNew,
		was.LastHandledReconcileAt != is.LastHandledReconcileAt, !slices.Equal(was.SkippedMessageIDs, is.SkippedMessageIDs), !equality.Semantic.DeepEqual(was.Jumps, is.Jumps),
		!condition.OnItsWay(was.Conditions, is.Conditions), condition.AnyChanged(was.Conditions, is.Conditions, isNews):
		return 0
	case isNew:
		return untoldNew
	case !condition.Is(is.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue):
		return untoldOnItsWay
	case is.DeadLetters == nil && !broadcasts(group), is.ReadyReplicas > 0 && unheard(is.Conditions):
		return untoldFirstWords
	}
	return 0
}

// untilTakenUp is for how long a group that was Ready may wait to say that Kubernetes has not looked yet at its Deployment, of which all pods are ready. Where an operator has but marked it anew, which moves
// its generation, as all objects are by one that writes them otherwise than the one before, it has nothing to say after that; and where pods are to be replaced that shows as soon as Kubernetes has looked.
func untilTakenUp(before, group *v1alpha1.MQConsumerGroup, made *workload) time.Duration {
	if made == nil || before.Status.ObservedGeneration != group.Status.ObservedGeneration || !condition.Is(before.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue) ||
		condition.AnyChanged(before.Status.Conditions, group.Status.Conditions, func(t condition.Transition) bool { return !followsPods(t.New.Type) }) {
		return 0
	}
	looked := *made.deployment
	looked.Status.ObservedGeneration = looked.Generation
	if podsReady(made.deployment, nil).IsDone() || !podsReady(&looked, nil).IsDone() {
		return 0
	}
	return untoldTakenUp
}

// followsPods reports whether a condition changes with WorkloadReady.
func followsPods(conditionType string) bool {
	switch conditionType {
	case v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionScaling, v1alpha1.ConditionWorkloadReady:
		return true
	}
	return false
}

// unheard reports whether the conditions lack what pods say.
func unheard(conditions []metav1.Condition) bool {
	return condition.Is(conditions, v1alpha1.ConditionConfigCurrent, metav1.ConditionUnknown) || condition.Is(conditions, v1alpha1.ConditionThirdPartyDown, metav1.ConditionUnknown)
}

// isNews reports whether what a condition says now, of a group that is on its way, is no step further.
func isNews(t condition.Transition) bool {
	switch t.New.Type {
	case v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionScaling:
		return false
	case v1alpha1.ConditionConfigCurrent:
		return t.New.Status == metav1.ConditionFalse
	case v1alpha1.ConditionBrokerReady, v1alpha1.ConditionWorkloadReady:
		return t.Old.Status == metav1.ConditionTrue
	}
	return t.New.Status == metav1.ConditionTrue || t.Old.Status == metav1.ConditionTrue
}

// tellPace asks for a look at a group whose status waits for as long yet. What it waits for on its way wakes it.
func tellPace(group *v1alpha1.MQConsumerGroup, left time.Duration) result.Result {
	if condition.Is(group.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue) {
		left = min(left, untoldLook)
	}
	return result.Result{After: left}
}
