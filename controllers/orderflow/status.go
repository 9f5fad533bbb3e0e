// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

// progress is how far each part of a flow is after a reconcile.
type progress struct {
	plan topicPlan
	// topic is what of the topic is not as declared.
	topic result.Result
	// brokers have the topic so; nil where they were not asked.
	brokers []brokerTopic
	// groups of the consumers, in their order; nil where one could not be applied, empty where that was not tried.
	groups []*v1alpha1.MQConsumerGroup
	// applied says what kept groups from being applied.
	applied []result.Result
	binding result.Result
}

// results are all that may keep the flow from being Ready, in the order of their importance.
func (p progress) results() []result.Result {
	results := append([]result.Result{p.topic}, p.applied...)
	for _, group := range p.groups {
		results = append(results, readiness(group))
	}
	return append(results, p.binding)
}

// readiness of a group; nothing is said of one that could not be applied.
func readiness(group *v1alpha1.MQConsumerGroup) result.Result {
	if group == nil {
		return result.Result{}
	}
	conditions := group.Status.Conditions
	text := fmt.Sprintf("MQConsumerGroup %s: %s", group.Name, condition.Describe(conditions, v1alpha1.ConditionReady))
	switch {
	case group.Status.ObservedGeneration != group.Generation:
		return result.Wait(v1alpha1.ReasonGroupNotReady, 0, "MQConsumerGroup %s: not looked at yet", group.Name)
	case condition.Is(conditions, v1alpha1.ConditionReady, metav1.ConditionTrue):
		return result.Result{}
	case condition.Is(conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue):
		return result.Stall(v1alpha1.ReasonGroupNotReady, "%s", text)
	}
	return result.Wait(v1alpha1.ReasonGroupNotReady, 0, "%s", text) // its changes wake the flow
}

// setStatus writes into the status how far the flow is.
func setStatus(flow *v1alpha1.OrderFlow, p progress, heard *traffic, now time.Time) {
	status := &flow.Status
	setTopic(flow, p)
	if p.plan.owned && p.binding.IsDone() {
		status.Binding = &v1alpha1.LocalObjectReference{Name: bindingName(flow)}
	}
	status.Consumers = consumers(flow, p.groups)
	status.ReadyConsumers = readyConsumers(status.Consumers)
	status.ObservedGeneration = flow.Generation
	status.LastHandledReconcileAt = demand.Heard(flow, status.LastHandledReconcileAt)
	conditions := append(condition.Summary(summary(flow), p.results()...), topicReady(flow, p), consumersReady(flow, p))
	if flow.Spec.Topic.ExpectTraffic != nil {
		conditions = append(conditions, noTraffic(flow, heard, p.topic, now))
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionNoTraffic)
	}
	condition.Set(&status.Conditions, flow.Generation, now, conditions...)
}

// mayWait is for how long what is said of a flow may wait for more: while it is on its way its consumers have several things to say, each. Longest waits what is but a step of some that
// nothing holds up. A claim is written before the topic is, groups wait for the topic, and a Secret of an earlier name is found by what the status says of the binding.
func mayWait(before, flow *v1alpha1.OrderFlow) time.Duration {
	was, is := before.Status, flow.Status
	switch {
	case was.ObservedGeneration != is.ObservedGeneration, was.LastHandledReconcileAt != is.LastHandledReconcileAt, claimOn(before) != claimOn(flow), !ptr.Equal(was.Binding, is.Binding),
		!condition.OnItsWay(was.Conditions, is.Conditions), condition.Is(is.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue),
		condition.AnyChanged(was.Conditions, is.Conditions, func(t condition.Transition) bool { return !aboutConsumers(t.New.Type) }):
		return 0
	case slices.ContainsFunc(was.Consumers, heldUp), slices.ContainsFunc(is.Consumers, heldUp):
		return settleLong
	}
	return interval
}

// heldUp reports whether a consumer waits for something that a user may have to do.
func heldUp(c v1alpha1.FlowConsumerStatus) bool {
	return c.Ready != metav1.ConditionTrue && c.Reason != "" && c.Reason != v1alpha1.ReasonProgressing
}

// aboutConsumers reports whether a condition of a flow that is on its way changes with each step of its consumers.
func aboutConsumers(conditionType string) bool {
	switch conditionType {
	case v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionConsumersReady:
		return true
	}
	return false
}

// setTopic keeps what was seen last where the brokers were not asked; lastVerifiedTime says how old that is.
func setTopic(flow *v1alpha1.OrderFlow, p progress) {
	if p.plan.claim != "" {
		flow.Status.Topic = &v1alpha1.TopicStatus{ClusterIdentity: p.plan.claim}
	}
	if !p.plan.write {
		return
	}
	topic := flow.Status.Topic
	topic.Brokers, topic.Queues = 0, 0
	for _, b := range p.brokers {
		if b.err != nil || b.found == nil {
			continue
		}
		topic.Queues += int32(b.found.ReadQueues)
		if len(differences(flow, b.found, int(flow.Spec.Topic.QueuesPerBroker))) == 0 {
			topic.Brokers++
		}
	}
}

func consumers(flow *v1alpha1.OrderFlow, groups []*v1alpha1.MQConsumerGroup) []v1alpha1.FlowConsumerStatus {
	var list []v1alpha1.FlowConsumerStatus
	for i, consumer := range flow.Spec.Consumers {
		status := v1alpha1.FlowConsumerStatus{Name: consumer.Name, GroupName: GroupName(flow.Name, consumer.Name), Ready: metav1.ConditionUnknown}
		if i < len(groups) && groups[i] != nil {
			describe(&status, groups[i])
		}
		list = append(list, status)
	}
	return list
}

func readyConsumers(list []v1alpha1.FlowConsumerStatus) string {
	ready := 0
	for _, consumer := range list {
		if consumer.Ready == metav1.ConditionTrue {
			ready++
		}
	}
	return fmt.Sprintf("%d/%d", ready, len(list))
}

func describe(status *v1alpha1.FlowConsumerStatus, group *v1alpha1.MQConsumerGroup) {
	status.Lag, status.ReadyReplicas = group.Status.Lag, group.Status.ReadyReplicas
	for _, c := range group.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady && group.Status.ObservedGeneration == group.Generation {
			status.Ready, status.Reason = c.Status, c.Reason
		}
	}
}

// summary is the message of a flow that is as declared.
func summary(flow *v1alpha1.OrderFlow) string {
	return fmt.Sprintf("topic %s and its consumers are as declared: %d", flow.Spec.Topic.Name, len(flow.Spec.Consumers))
}

func topicReady(flow *v1alpha1.OrderFlow, p progress) metav1.Condition {
	done := ""
	if topic := flow.Status.Topic; topic != nil {
		done = fmt.Sprintf("topic %s was read back as declared from %d brokers, with %d queues", flow.Spec.Topic.Name, topic.Brokers, topic.Queues)
	}
	switch flow.Spec.Topic.Permission {
	case v1alpha1.TopicRead:
		done += "; with permission Read it takes no new message"
	case v1alpha1.TopicWrite:
		done += "; with permission Write nobody consumes it"
	}
	return condition.Of(v1alpha1.ConditionTopicReady, p.topic, done)
}

func consumersReady(flow *v1alpha1.OrderFlow, p progress) metav1.Condition {
	results := append([]result.Result(nil), p.applied...)
	for _, group := range p.groups {
		results = append(results, readiness(group))
	}
	worst := result.Worst(results...)
	if !p.plan.owned {
		worst = result.Wait(v1alpha1.ReasonProgressing, 0, "the consumers are made when the topic is this flow's")
	}
	return condition.Of(v1alpha1.ConditionConsumersReady, worst, fmt.Sprintf("all %d consumers are ready", len(flow.Spec.Consumers)))
}
