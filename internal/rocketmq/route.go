// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"cmp"
	"slices"
)

// Route is where a topic's queues are.
type Route struct {
	Queues  []RouteQueues `json:"queueDatas"` // by broker
	Brokers []Broker      `json:"brokerDatas"`
}

// RouteQueues are a topic's queues at one broker.
type RouteQueues struct {
	Broker string `json:"brokerName"`
	Read   int    `json:"readQueueNums"`  // queues 0…Read-1 are consumed
	Write  int    `json:"writeQueueNums"` // queues 0…Write-1 are sent to
	Perm   int    `json:"perm"`           // made of [PermRead] and [PermWrite]
}

// Broker is one broker and its replicas.
type Broker struct {
	Name    string           `json:"brokerName"`
	Cluster string           `json:"cluster"`
	Addrs   map[int64]string `json:"brokerAddrs"` // by broker id, host:port
}

// masterID is the broker id of a master; replicas have others.
const masterID = 0

// Master is the address of the master, "" if it is away.
func (b Broker) Master() string { return b.Addrs[masterID] }

// Readable lists the queues of the topic that may be consumed, at brokers whose
// master is there, by broker and id: the order in which all clients of a group
// divide them.
func (r Route) Readable(topic string) []Queue {
	return r.queues(topic, PermRead, func(q RouteQueues) int { return q.Read })
}

// Writable lists the queues of the topic that may be sent to, in the same way.
func (r Route) Writable(topic string) []Queue {
	return r.queues(topic, PermWrite, func(q RouteQueues) int { return q.Write })
}

func (r Route) queues(topic string, perm int, number func(RouteQueues) int) []Queue {
	masters := r.Masters()
	var queues []Queue
	for _, d := range r.Queues {
		if d.Perm&perm == 0 || masters[d.Broker] == "" {
			continue
		}
		for id := range number(d) {
			queues = append(queues, Queue{Topic: topic, Broker: d.Broker, ID: id})
		}
	}
	slices.SortFunc(queues, func(a, b Queue) int {
		return cmp.Or(cmp.Compare(a.Broker, b.Broker), cmp.Compare(a.ID, b.ID))
	})
	return queues
}

// Masters are the masters' addresses by broker name.
func (r Route) Masters() map[string]string {
	masters := make(map[string]string, len(r.Brokers))
	for _, b := range r.Brokers {
		if addr := b.Master(); addr != "" {
			masters[b.Name] = addr
		}
	}
	return masters
}

// ClusterInfo is what a name server knows of brokers.
type ClusterInfo struct {
	Brokers  map[string]Broker   `json:"brokerAddrTable"`  // by name
	Clusters map[string][]string `json:"clusterAddrTable"` // broker names by cluster
}

// Masters lists the brokers of a cluster, or of all if it is empty, that have a
// master, by name.
func (i ClusterInfo) Masters(cluster string) []Broker {
	var masters []Broker
	for _, b := range i.Brokers {
		if b.Master() != "" && (cluster == "" || b.Cluster == cluster) {
			masters = append(masters, b)
		}
	}
	slices.SortFunc(masters, func(a, b Broker) int { return cmp.Compare(a.Name, b.Name) })
	return masters
}
