// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"slices"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// clusterName is what all brokers belong to.
const clusterName = "DefaultCluster"

// nameServer answers from what the brokers hold.
type nameServer struct{ endpoint }

func (n *nameServer) name() string  { return "namesrv" }
func (n *nameServer) gone(*session) {}

func (n *nameServer) handle(_ *session, req *rocketmq.Command) answer {
	c := n.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	switch rocketmq.Op(req.Code) {
	case rocketmq.OpRoute:
		return c.route(req.Fields.Get("topic"))
	case rocketmq.OpClusterInfo:
		return c.info()
	case rocketmq.OpTopicNames:
		var names []string
		for topic := range c.routes {
			names = append(names, topic)
		}
		return answerJSON(map[string][]string{"topicList": names})
	case rocketmq.OpDeleteRoute:
		delete(c.routes, req.Fields.Get("topic"))
		return answer{}
	}
	return refuse(rocketmq.CodeNotSupported, " request type %d not supported", req.Code)
}

// route lists the topic's queues at the brokers that run; one that no broker
// holds any more keeps the shape of nothing. c.mu is held.
func (c *Cluster) route(topic string) answer {
	var r rocketmq.Route
	for _, b := range c.brokers {
		if b.stopped || !c.routes[topic] {
			continue
		}
		r.Brokers = append(r.Brokers, b.self())
		if t := b.topics[topic]; t != nil {
			r.Queues = append(r.Queues, rocketmq.RouteQueues{Broker: b.id, Read: t.config.ReadQueues, Write: t.config.WriteQueues, Perm: t.config.Perm})
		}
	}
	if len(r.Brokers) == 0 {
		return refuse(rocketmq.CodeTopicNotExist, "No topic route info in name server for the topic: %s", topic)
	}
	return answerJSON(r)
}

func (c *Cluster) info() answer {
	info := rocketmq.ClusterInfo{Brokers: map[string]rocketmq.Broker{}, Clusters: map[string][]string{}}
	for _, b := range c.brokers {
		if !b.stopped {
			info.Brokers[b.id] = b.self()
			info.Clusters[clusterName] = append(info.Clusters[clusterName], b.id)
		}
	}
	slices.Sort(info.Clusters[clusterName])
	return answerJSON(info)
}

// self is how the name server lists the broker.
func (b *Broker) self() rocketmq.Broker {
	return rocketmq.Broker{Name: b.id, Cluster: clusterName, Addrs: map[int64]string{0: b.addr}}
}
