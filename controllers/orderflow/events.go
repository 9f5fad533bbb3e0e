// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
)

// Reasons of events that are no conditions.
const (
	// eventTopicWritten: the topic was created or corrected.
	eventTopicWritten = "TopicWritten"
	// eventTopicAdopted: a topic that was there before was taken over.
	eventTopicAdopted = "TopicAdopted"
	// eventTopicGone: the topic was not on a broker any more, and was made anew.
	eventTopicGone = "TopicGone"
	// eventTopicDeleted: the topic was deleted with the flow.
	eventTopicDeleted = "TopicDeleted"
	// eventTopicLeftBehind: the flow goes and the topic stays, although it was to be deleted.
	eventTopicLeftBehind = "TopicLeftBehind"
)

// record sends events for what changed: Ready, and what was done to the topic.
func (r *Reconciler) record(flow *v1alpha1.OrderFlow, p progress, changed []condition.Transition) {
	condition.RecordReady(r.Recorder, flow, flow.Status.Conditions, changed)
	for _, t := range changed {
		switch {
		case t.New.Type != v1alpha1.ConditionNoTraffic:
		case t.New.Status == metav1.ConditionTrue:
			condition.Event(r.Recorder, flow, corev1.EventTypeWarning, t.New.Reason, t.New.Message)
		case t.Old.Status == metav1.ConditionTrue && t.New.Status == metav1.ConditionFalse:
			condition.Event(r.Recorder, flow, corev1.EventTypeNormal, t.New.Reason, "messages come again to topic "+flow.Spec.Topic.Name)
		}
	}
	if p.plan.adopts {
		condition.Event(r.Recorder, flow, corev1.EventTypeNormal, eventTopicAdopted, "topic "+flow.Spec.Topic.Name+" was there before and is taken over")
	}
	for _, b := range p.brokers {
		if b.found != nil && slices.Contains(p.plan.gone, b.Name) {
			condition.Event(r.Recorder, flow, corev1.EventTypeWarning, eventTopicGone, "topic "+flow.Spec.Topic.Name+" was gone from "+b.Name+
				", with the messages it held there, and was made anew: somebody deleted it, or the broker lost its store")
		}
	}
	if len(p.plan.puts) > 0 && p.topic.IsDone() {
		condition.Event(r.Recorder, flow, corev1.EventTypeNormal, eventTopicWritten,
			"topic "+flow.Spec.Topic.Name+" was written to "+strings.Join(slices.Sorted(maps.Keys(p.plan.puts)), ", ")+" and read back as declared")
	}
}
