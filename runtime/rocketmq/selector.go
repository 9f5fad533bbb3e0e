// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// selector spreads messages over the topic's queues in turn, and those with an order key by their key.
//
// It is also how a topic is located without sending anything: the library has no call for it, but it looks up the route
// before it asks for a queue. So the probe is "sent", the library looks up, and being asked for the probe's queue is the
// proof that the route is there; answering none makes the library give up.
type selector struct {
	probe   *primitive.Message
	located atomic.Bool
	next    atomic.Uint64
	keyed   *keyedQueues
}

var _ producer.QueueSelector = (*selector)(nil)

// Select implements the library's interface. The last broker's name is only given on the library's own retries, which
// are off.
func (s *selector) Select(msg *primitive.Message, queues []*primitive.MessageQueue, _ string) *primitive.MessageQueue {
	if msg == s.probe {
		s.located.Store(true)
		return nil
	}
	if key := msg.GetProperty(rocketmq.PropertyShardingKey); key != "" {
		return s.keyed.choose(key, queues)
	}
	return queues[s.next.Add(1)%uint64(len(queues))]
}

// OrderQueues are the queues of one broker over which order keys are spread.
type OrderQueues struct {
	Broker string
	Queues int
}

func validateOrderQueues(list []OrderQueues) error {
	for _, b := range list {
		if b.Broker == "" || b.Queues <= 0 {
			return fmt.Errorf("order queues: broker %q with %d queues; want a broker's name and at least one queue", b.Broker, b.Queues)
		}
	}
	return nil
}

type queueName struct {
	broker string
	id     int
}

// keyedQueues is the list of queues over which order keys are spread. A key's place in it is its hash modulo the list's length,
// so the list must not become shorter while a broker is away: the route that the library shows us does. It outlives the
// library's producers.
type keyedQueues struct {
	mu    sync.Mutex
	fixed bool
	list  []queueName // by broker and id

	first *primitive.MessageQueue // of the route last seen: a new route is made of new queues
	there map[queueName]*primitive.MessageQueue
}

// newKeyedQueues makes the list that is given, or else one that grows with each queue seen.
func newKeyedQueues(given []OrderQueues) *keyedQueues {
	k := &keyedQueues{fixed: len(given) > 0}
	for _, b := range given {
		for id := range b.Queues {
			k.list = append(k.list, queueName{b.Broker, id})
		}
	}
	k.sort()
	return k
}

// choose answers the key's queue; nil if it is not in the route, as its broker is away or takes no messages. No other queue
// would do. It hashes as Java's SelectMessageQueueByHash does with a String, so that producers in both languages agree.
func (k *keyedQueues) choose(key string, route []*primitive.MessageQueue) *primitive.MessageQueue {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.first != route[0] {
		k.see(route)
	}
	place := int(rocketmq.JavaHash(key)) % len(k.list)
	return k.there[k.list[max(place, -place)]]
}

func (k *keyedQueues) see(route []*primitive.MessageQueue) {
	k.first, k.there = route[0], make(map[queueName]*primitive.MessageQueue, len(route))
	for _, q := range route {
		k.there[queueName{q.BrokerName, q.QueueId}] = q
	}
	if k.fixed {
		return
	}
	for name := range k.there {
		k.list = append(k.list, name)
	}
	k.sort()
}

func (k *keyedQueues) sort() {
	slices.SortFunc(k.list, func(a, b queueName) int { return cmp.Or(cmp.Compare(a.broker, b.broker), cmp.Compare(a.id, b.id)) })
	k.list = slices.Compact(k.list)
}
