// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// topicPlan is what is to be done about the topic.
type topicPlan struct {
	// result says what keeps the topic from being looked at or written; done if nothing does.
	result result.Result
	// claim is the identity of the cluster on which the flow is to claim the topic; empty: no claim is to be made. It comes alone: the topic
	// is written when the claim can be read back.
	claim string
	// adopts says that the topic to be claimed is there already.
	adopts bool
	// owned says that the topic is the flow's, so that what depends on it may be made.
	owned bool
	// write says that the brokers were read and are to be judged; puts are those to be written before.
	write bool
	puts  map[string]rocketmq.TopicConfig // by broker name
	// queues the topic is to have now, by broker name; held says why that is less than declared.
	queues map[string]int
	held   result.Result
	// gone are brokers that had the topic and have it no more.
	gone []string
}

// planTopic decides about the topic, in this order: the cluster, others who declare the topic, others who made it, its shape.
func planTopic(flow *v1alpha1.OrderFlow, seen facts) topicPlan {
	owned := flow.Status.Topic != nil && flow.Status.Topic.ClusterIdentity != ""
	if !seen.reached.IsDone() {
		return topicPlan{result: seen.reached, owned: owned && seen.cluster != nil}
	}
	if seen.owner.UID != flow.UID {
		return topicPlan{result: result.Stall(v1alpha1.ReasonConflict,
			"topic %s is declared by OrderFlow %s already, which is older and on the same RocketMQ cluster: delete one of the two, and create it anew with another topic if both are needed",
			flow.Spec.Topic.Name, seen.owner.Object)}
	}
	if seen.brokers == nil {
		return topicPlan{owned: true}
	}
	if !owned || flow.Status.Topic.ClusterIdentity != seen.cluster.Status.Identity {
		return planClaim(flow, seen)
	}
	if wrong := mismatch(flow, seen.brokers); !wrong.IsDone() {
		return topicPlan{result: wrong, owned: true}
	}
	plan := topicPlan{owned: true, write: true, puts: map[string]rocketmq.TopicConfig{}, held: held(flow, seen)}
	plan.queues = queuesNow(flow, seen.brokers, plan.held.IsDone())
	for _, b := range seen.brokers {
		if b.err == nil && b.found == nil && present(flow, b) > 0 {
			plan.gone = append(plan.gone, b.Name)
		}
		if b.err == nil && len(differences(flow, b.found, plan.queues[b.Name])) > 0 {
			plan.puts[b.Name] = corrected(flow, b.found, plan.queues[b.Name])
		}
	}
	return plan
}

// brokersOwn reports whether the brokers make the topic for themselves. Other names they keep are known without them, and refused by the API server.
func brokersOwn(seen facts, topic string) bool {
	status := &seen.cluster.Status
	return topic == status.ClusterName || status.Broker(topic) != nil || slices.ContainsFunc(seen.brokers, func(b brokerTopic) bool { return b.Name == topic })
}

// planClaim decides whether the flow may claim the topic.
func planClaim(flow *v1alpha1.OrderFlow, seen facts) topicPlan {
	topic := flow.Spec.Topic
	if brokersOwn(seen, topic.Name) {
		return topicPlan{result: result.Stall(v1alpha1.ReasonNameReserved,
			"topic %s is RocketMQ's own, as each cluster and each broker has a topic of its name: delete this OrderFlow and create it anew with another topic", topic.Name)}
	}
	var holders []string
	for _, b := range seen.brokers {
		if b.err != nil {
			return topicPlan{result: topology.Explain(b.err, "finding out whether broker %s has topic %s already", b.Name, topic.Name)}
		}
		if b.found != nil {
			holders = append(holders, b.Name)
		}
	}
	if len(holders) > 0 && topic.AdoptionPolicy != v1alpha1.AdoptionAdopt {
		return topicPlan{result: result.Stall(v1alpha1.ReasonAlreadyExists,
			"topic %s exists already on %s and was not made by this OrderFlow: to take it over with its messages, for example after restoring this OrderFlow from Git or a backup, set spec.topic.adoptionPolicy to Adopt; else delete this OrderFlow and create it anew with another topic",
			topic.Name, strings.Join(holders, ", "))}
	}
	if wrong := mismatch(flow, seen.brokers); !wrong.IsDone() {
		return topicPlan{result: wrong}
	}
	return topicPlan{
		claim:  seen.cluster.Status.Identity,
		adopts: len(holders) > 0,
		result: result.Wait(v1alpha1.ReasonProgressing, 0, "topic %s is claimed and is about to be written to %d brokers", topic.Name, len(seen.brokers)),
	}
}

// mismatch says what of the topic, as it is, cannot be corrected.
func mismatch(flow *v1alpha1.OrderFlow, brokers []brokerTopic) result.Result {
	for _, b := range brokers {
		if b.found != nil && messageType(*b.found) != wantedType(flow) {
			return result.Stall(v1alpha1.ReasonTopicMismatch,
				"topic %s is of type %s on broker %s, not %s: its messages would not be what the consumers expect; delete that topic if it is empty, or delete this OrderFlow and create it anew with another topic",
				flow.Spec.Topic.Name, messageType(*b.found), b.Name, wantedType(flow))
		}
	}
	return result.Result{}
}

// judge says whether the topic, as it was read back from all masters, is as declared.
func judge(flow *v1alpha1.OrderFlow, plan topicPlan, brokers []brokerTopic) result.Result {
	var good []string
	var results []result.Result
	for _, b := range brokers {
		switch wrong := differences(flow, b.found, plan.queues[b.Name]); {
		case b.err != nil:
			results = append(results, topology.Explain(b.err, "writing topic %s to broker %s", flow.Spec.Topic.Name, b.Name))
		case len(wrong) > 0:
			err := fmt.Errorf("the broker took the topic and has it otherwise: %s", strings.Join(wrong, ", "))
			results = append(results, result.Fail(v1alpha1.ReasonBrokerRefused, err, "reading topic %s back from broker %s", flow.Spec.Topic.Name, b.Name))
		default:
			good = append(good, b.Name)
		}
	}
	worst := result.Worst(results...)
	if worst.State == result.Unknown && len(good) > 0 {
		worst = result.Wait(v1alpha1.ReasonPartlyApplied, lookAgain, "topic %s is as declared on %s, but not everywhere: %s",
			flow.Spec.Topic.Name, strings.Join(good, ", "), worst.Message)
	}
	return result.Worst(worst, plan.held)
}

// mayBind says what keeps the binding from being written: a cluster that cannot be asked; and, before it is written for the first time, a topic that is on no broker, as no
// group can begin there, and a group that begins at Latest and has no start offsets yet, since it would miss the orders sent before. Nobody waits for a stalled group: a third party
// that is set up wrongly must not keep the order system from sending.
func mayBind(flow *v1alpha1.OrderFlow, seen facts, p progress) result.Result {
	if !seen.reached.IsDone() || flow.Status.Binding != nil {
		return seen.reached
	}
	if failed := result.Worst(p.applied...); failed.State == result.Unknown {
		return failed
	}
	if len(p.brokers) > 0 && !slices.ContainsFunc(p.brokers, func(b brokerTopic) bool { return b.found != nil }) {
		return p.topic
	}
	for _, group := range p.groups {
		if group != nil && group.Spec.Consume.StartFrom.Position == v1alpha1.StartLatest && group.Status.SeededTime == nil &&
			readiness(group).State != result.Stalled {
			return result.Wait(v1alpha1.ReasonOffsetsNotSeeded, interval, // seeded and Turned wake it
				"Secret %s is written when MQConsumerGroup %s has its start offsets: it begins at Latest and would miss the orders sent before", bindingName(flow), group.Name)
		}
	}
	return result.Result{}
}
