// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// begins notes what an operator that has just begun does not know yet of a group: a pass over its pods, and a look at its lag, are seconds away, or with thousands of groups a minute.
func begins(seen *inputs, syncer *workersync.Syncer) {
	seen.young = !syncer.Settled()
	seen.unheard = !syncer.Heard(client.ObjectKeyFromObject(seen.group))
	seen.unread = seen.young && (seen.signals.Time.IsZero() || seen.signals.DeadLetters < 0) // whose retries were not counted either
}

// known is a condition that the status has of the group as it is; nil: none, or Unknown.
func known(seen *inputs, kind string) *metav1.Condition {
	c := meta.FindStatusCondition(seen.group.Status.Conditions, kind)
	if c == nil || c.Status == metav1.ConditionUnknown || c.ObservedGeneration != seen.group.Generation {
		return nil
	}
	return c
}

// standing is a condition as an operator before this one has left it, where this one does not know better yet, and the group is as it was then; nil: it is to be found out. To unsay it
// and to say it again would make news of every upgrade of the operator.
func standing(seen *inputs, kind string) *metav1.Condition {
	if seen.unheard || seen.unread && kind == v1alpha1.ConditionQueueStuck { // which follows from the lag, and names a pod
		return known(seen, kind)
	}
	return nil
}

// scalingStands reports whether the last decision stands for one that says the same number with less knowledge.
func scalingStands(seen *inputs, next *v1alpha1.ScalingStatus) bool {
	before := seen.group.Status.Scaling
	return (seen.unheard || seen.unread) && before != nil && known(seen, v1alpha1.ConditionScaling) != nil &&
		next.DesiredReplicas == before.DesiredReplicas && next.Bound != v1alpha1.BoundFixed && next.Bound != v1alpha1.BoundSuspended
}

// standingFlow is what flowing has found: that pods are parked until somebody changes something stalled the group, for the reason that Parked has.
func standingFlow(seen *inputs) result.Result {
	parked := standing(seen, v1alpha1.ConditionParked)
	stalled := meta.FindStatusCondition(seen.group.Status.Conditions, v1alpha1.ConditionStalled)
	if parked == nil || stalled == nil || stalled.Status != metav1.ConditionTrue || stalled.Reason != parked.Reason {
		return result.Result{}
	}
	return result.Stall(parked.Reason, "%s", parked.Message).Again(lookAgain)
}

// standingUse is how the status has the group's use of an adapter; without a circuit that is known where it does not, or ThirdPartyDown does not stand.
func standingUse(seen *inputs, adapter string) v1alpha1.AdapterUse {
	uses := seen.group.Status.Adapters
	if standing(seen, v1alpha1.ConditionThirdPartyDown) == nil {
		uses = nil
	}
	if at := slices.IndexFunc(uses, func(u v1alpha1.AdapterUse) bool { return u.Name == adapter }); at >= 0 {
		return uses[at]
	}
	return v1alpha1.AdapterUse{Name: adapter, Circuit: v1alpha1.CircuitUnknown}
}

// settledBefore reports whether the group was seen with nothing in flight since it is suspended, and its pods were not told otherwise meanwhile.
func settledBefore(seen *inputs) bool {
	s := seen.group.Status.Suspension
	return (seen.given == nil || seen.given.Suspended != "") && s != nil && s.SettledTime != nil && standing(seen, v1alpha1.ConditionDrained) != nil
}
