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
	seen.unheard = !syncer.Heard(client.ObjectKeyFromObject(seen.group))
	seen.unread = seen.signals.Time.IsZero() && !syncer.Settled()
}

// standing is a condition as an operator before this one has left it, where this one does not know better yet, and the group is as it was then; nil: it is to be found out. To unsay it
// and to say it again would make news of every upgrade of the operator.
func standing(seen *inputs, kind string) *metav1.Condition {
	unknown := seen.unheard
	if kind == v1alpha1.ConditionQueueStuck || kind == v1alpha1.ConditionRetentionAtRisk {
		unknown = seen.unread
	}
	c := meta.FindStatusCondition(seen.group.Status.Conditions, kind)
	if !unknown || c == nil || c.Status == metav1.ConditionUnknown || c.ObservedGeneration != seen.group.Generation {
		return nil
	}
	return c
}

// standingConfig is the condition ConfigCurrent as it stands, unless this look gives the pods another configuration.
func standingConfig(seen *inputs) *metav1.Condition {
	status := &seen.group.Status
	if seen.given != nil && seen.given.Revision != status.LiveRevision || seen.deployment != nil && structureOf(seen.deployment) != status.StructureName {
		return nil
	}
	return standing(seen, v1alpha1.ConditionConfigCurrent)
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

// standingUse is how the status has the group's use of an adapter; without a circuit that is known where it does not.
func standingUse(seen *inputs, adapter string) v1alpha1.AdapterUse {
	uses := seen.group.Status.Adapters
	if at := slices.IndexFunc(uses, func(u v1alpha1.AdapterUse) bool { return u.Name == adapter }); at >= 0 {
		return uses[at]
	}
	return v1alpha1.AdapterUse{Name: adapter, Circuit: v1alpha1.CircuitUnknown}
}

// settledBefore reports whether the group was seen with nothing in flight since it is suspended.
func settledBefore(seen *inputs) bool {
	s := seen.group.Status.Suspension
	return s != nil && s.SettledTime != nil && standing(seen, v1alpha1.ConditionDrained) != nil
}
