// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
)

// orderlyGroup is an Orderly group with messages that it has yet to handle.
type orderlyGroup struct {
	consumer *v1alpha1.MQConsumerGroup
	messages int64
}

// countOrderly are the topic's Orderly groups that have messages to handle, by name.
func countOrderly(
	ctx context.Context, admin *topology.Admin, cluster *v1alpha1.MQCluster, survey topology.Cluster, topic string, consumers map[string]*v1alpha1.MQConsumerGroup,
) ([]orderlyGroup, result.Result) {
	maps.DeleteFunc(consumers, func(_ string, c *v1alpha1.MQConsumerGroup) bool {
		return c.Spec.Consume.Order != v1alpha1.ConsumeOrderly
	})
	if len(consumers) == 0 {
		return nil, result.Result{}
	}
	all, counted := count(ctx, admin, cluster, survey, topic)
	if !counted.IsDone() {
		return nil, counted
	}
	var list []orderlyGroup
	for _, name := range slices.Sorted(maps.Keys(consumers)) {
		if messages := all.left(consumers[name]); messages > 0 {
			list = append(list, orderlyGroup{consumers[name], messages})
		}
	}
	return list, result.Result{}
}

// left is what the group has to handle. One that has no offset yet has nothing if it begins with what is sent then.
func (b *backlog) left(group *v1alpha1.MQConsumerGroup) int64 {
	messages, seeded := b.groups[group.Spec.Group]
	if !seeded && group.Spec.Consume.StartFrom.Position != v1alpha1.StartLatest {
		return b.stored
	}
	return messages
}

// present is the number of queues at a broker over which order keys are spread: those it has, and those it had when all brokers were last seen, which
// producers go on counting.
func present(flow *v1alpha1.OrderFlow, b brokerTopic) int {
	var queues int
	if b.found != nil {
		queues = b.found.WriteQueues
	}
	if flow.Status.Topic != nil {
		for _, known := range flow.Status.Topic.OrderQueues {
			if known.Broker == b.Name {
				queues = max(queues, int(known.Queues))
			}
		}
	}
	return queues
}

// growing are the brokers that are to get queues which no key was ever in. A topic that is nowhere has no keys to move.
func growing(flow *v1alpha1.OrderFlow, brokers []brokerTopic) []string {
	var names []string
	for _, b := range brokers {
		if b.err == nil && present(flow, b) < int(flow.Spec.Topic.QueuesPerBroker) {
			names = append(names, b.Name)
		}
	}
	if !slices.ContainsFunc(brokers, func(b brokerTopic) bool { return b.found != nil }) {
		return nil
	}
	return names
}

// held says what keeps queues from being added: with growthPolicy Refuse, an Orderly group that has messages to handle. Its next messages of the same
// keys would go to other queues, and overtake those.
func held(flow *v1alpha1.OrderFlow, seen facts) result.Result {
	topic := flow.Spec.Topic
	brokers := growing(flow, seen.brokers)
	if len(brokers) == 0 || topic.GrowthPolicy != v1alpha1.GrowthRefuse {
		return result.Result{}
	}
	if r := seen.counted; !r.IsDone() {
		r.Message = "topic " + topic.Name + " gets no more queues on " + strings.Join(brokers, ", ") + " before it is known what its Orderly groups have yet to handle: " + r.Message
		r.State = result.Unknown
		return r
	}
	if len(seen.orderly) == 0 {
		return result.Result{}
	}
	worst := slices.MaxFunc(seen.orderly, func(a, b orderlyGroup) int { return cmp.Compare(a.messages, b.messages) })
	return result.Wait(v1alpha1.ReasonGrowthRefused, lookAgain,
		"topic %s is to have %d queues on %s and does not get them yet, since Orderly group %s has %d messages to handle, and keys would move to other queues before it has: they are added once MQConsumerGroup %s has handled everything, for which the order system may have to pause; or set spec.topic.growthPolicy to AcceptReorder, if messages of one key may be handled out of order",
		topic.Name, topic.QueuesPerBroker, strings.Join(brokers, ", "), worst.consumer.Spec.Group, worst.messages, client.ObjectKeyFromObject(worst.consumer))
}

// queuesNow are the queues each broker is to have now: as declared and no fewer than it had, or while the topic must not grow, those it had.
func queuesNow(flow *v1alpha1.OrderFlow, brokers []brokerTopic, grow bool) map[string]int {
	queues := map[string]int{}
	waiting := growing(flow, brokers)
	for _, b := range brokers {
		queues[b.Name] = present(flow, b)
		if grow || !slices.Contains(waiting, b.Name) {
			queues[b.Name] = max(queues[b.Name], int(flow.Spec.Topic.QueuesPerBroker))
		}
	}
	return queues
}
