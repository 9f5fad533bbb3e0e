// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// listOrderQueues are the queues over which order keys are spread: those all masters have, as they were read back. While one that the MQCluster
// knows is not among them the list stays as it is, for its keys to wait and the others not to move: name servers drop a dead broker at once, the
// MQCluster only when it is told to.
func listOrderQueues(known []v1alpha1.BrokerQueues, cluster *v1alpha1.MQCluster, brokers []brokerTopic) []v1alpha1.BrokerQueues {
	var list []v1alpha1.BrokerQueues
	for _, b := range brokers {
		list = append(list, v1alpha1.BrokerQueues{Broker: b.Name, Queues: int32(b.found.WriteQueues)})
	}
	for _, expected := range cluster.Status.Brokers {
		if !slices.ContainsFunc(list, func(b v1alpha1.BrokerQueues) bool { return b.Broker == expected.Name }) {
			return known
		}
	}
	slices.SortFunc(list, func(a, b v1alpha1.BrokerQueues) int { return strings.Compare(a.Broker, b.Broker) })
	return list
}

// orderQueues is the list as the binding has it, in the form of RocketMQ's order configuration, such as broker-a:8;broker-b:8; empty while it is not
// known.
func orderQueues(topic *v1alpha1.TopicStatus) string {
	if topic == nil {
		return ""
	}
	var list []string
	for _, b := range topic.OrderQueues {
		list = append(list, fmt.Sprintf("%s:%d", b.Broker, b.Queues))
	}
	return strings.Join(list, ";")
}
