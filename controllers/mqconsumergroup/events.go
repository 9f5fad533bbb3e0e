// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
)

// Reasons of events that are no reasons of a condition.
const (
	// eventScaled: the number of pods was changed by a decision.
	eventScaled = "Scaled"
	// eventMessageSkipped: a message of spec.skipMessageIDs was met and is a dead letter.
	eventMessageSkipped = "MessageSkipped"
	// eventDeleted: the group was deleted on the brokers.
	eventDeleted = "Deleted"
	// eventBeyondEnd: a position lay beyond the end of its queue.
	eventBeyondEnd = "OffsetBeyondEnd"
	// eventReset: an administrator moved a position.
	eventReset = "OffsetReset"
	// eventGroupMade: the group was not on a broker, and was made there.
	eventGroupMade = "GroupMade"
	// eventOffsetsLost: queues had offsets and have none any more.
	eventOffsetsLost = "OffsetsLost"
	// eventOffsetsSet: queues had no offset as far as is known.
	eventOffsetsSet = "OffsetsSet"
	// eventLeftBehind: the object was let go although the group could not be deleted on the brokers.
	eventLeftBehind = "LeftBehind"
)

// record sends events for what changed.
func (r *Reconciler) record(group, before *v1alpha1.MQConsumerGroup, changed []condition.Transition) {
	condition.RecordReady(r.Recorder, group, group.Status.Conditions, changed)
	for _, t := range changed {
		switch {
		case alarms(t):
			condition.Event(r.Recorder, group, corev1.EventTypeWarning, t.New.Reason, t.New.Message)
		case t.New.Type == v1alpha1.ConditionThirdPartyDown && t.Old.Status == metav1.ConditionTrue && t.New.Status == metav1.ConditionFalse:
			condition.Event(r.Recorder, group, corev1.EventTypeNormal, t.New.Reason, "the third party is back; waiting messages are sent")
		case announces(t.New):
			condition.Event(r.Recorder, group, corev1.EventTypeNormal, t.New.Reason, t.New.Message)
		}
	}
	r.recordSkipped(group, before.Status.SkippedMessageIDs)
	r.recordJumps(group, before)
	if was, is := before.Status.Scaling, group.Status.Scaling; was != nil && is != nil && was.DesiredReplicas != is.DesiredReplicas {
		condition.Event(r.Recorder, group, corev1.EventTypeNormal, eventScaled, fmt.Sprintf("from %d to %d pods: %s", was.DesiredReplicas, is.DesiredReplicas, is.Message))
	}
}

// recordRepairs tells what was put right on the brokers of a group that had begun.
func (r *Reconciler) recordRepairs(group *v1alpha1.MQConsumerGroup, done steps) {
	name := group.Spec.Group
	if len(done.madeLater) > 0 {
		condition.Event(r.Recorder, group, corev1.EventTypeWarning, eventGroupMade,
			fmt.Sprintf("group %s was not on %s and was made there: the broker is new or lost its store, or somebody deleted the group", name, list(done.madeLater)))
	}
	var lost, set []string
	for _, s := range done.seededLater {
		where := fmt.Sprintf("%s at %s queue %d goes on at %d", s.queue.Topic, s.queue.Broker, s.queue.ID, s.offset)
		if s.lost {
			lost = append(lost, where)
		} else {
			set = append(set, where)
		}
	}
	if len(lost) > 0 {
		condition.Event(r.Recorder, group, corev1.EventTypeWarning, eventOffsetsLost,
			fmt.Sprintf("somebody deleted offsets of group %s, or its topic, which go on where it stood, or with what came since; some messages may come again: %s", name, list(lost)))
	}
	if len(set) > 0 {
		condition.Event(r.Recorder, group, corev1.EventTypeNormal, eventOffsetsSet,
			fmt.Sprintf("queues without an offset of group %s begin with what came since the group; where they are not new somebody deleted it, and messages come again: %s", name, list(set)))
	}
}

// alarms reports whether a condition that changed tells of something that is amiss.
func alarms(t condition.Transition) bool {
	c := t.New
	if c.Type == v1alpha1.ConditionDrained { // whose status goes on changing after its deadline, with pods that answer or do not
		return c.Reason == v1alpha1.ReasonDrainDeadlineExceeded && t.Old.Reason != c.Reason
	}
	if c.Status != metav1.ConditionTrue || toldSuspended(c) {
		return false
	}
	switch c.Type {
	case v1alpha1.ConditionThirdPartyDown, v1alpha1.ConditionForeignConsumers, v1alpha1.ConditionQueueStuck, v1alpha1.ConditionRetentionAtRisk:
		return true
	case v1alpha1.ConditionParked:
		return c.Reason != v1alpha1.ReasonCircuitOpen // which ThirdPartyDown tells
	}
	return false
}

// announces reports whether a condition that changed tells of something that somebody wanted.
func announces(c metav1.Condition) bool {
	return toldSuspended(c) || c.Type == v1alpha1.ConditionDrained && c.Status == metav1.ConditionTrue
}

// toldSuspended: the group hands out no message because somebody said so.
func toldSuspended(c metav1.Condition) bool {
	return c.Type == v1alpha1.ConditionParked && (c.Reason == v1alpha1.ReasonSuspended || c.Reason == v1alpha1.ReasonAdapterSuspended)
}

// recordSkipped tells of messages that were met since.
func (r *Reconciler) recordSkipped(group *v1alpha1.MQConsumerGroup, before []string) {
	for _, id := range group.Status.SkippedMessageIDs {
		if !slices.Contains(before, id) {
			condition.Event(r.Recorder, group, corev1.EventTypeNormal, eventMessageSkipped, fmt.Sprintf("message %s, which spec.skipMessageIDs names, is a dead letter and was not handled", id))
		}
	}
}
