// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"sync/atomic"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// selector spreads messages over the topic's queues in turn.
//
// It is also how a topic is located without sending anything: the library has no call for it, but it looks up the route
// before it asks for a queue. So the probe is "sent", the library looks up, and being asked for the probe's queue is the
// proof that the route is there; answering none makes the library give up.
type selector struct {
	probe   *primitive.Message
	located atomic.Bool
	next    atomic.Uint64
}

var _ producer.QueueSelector = (*selector)(nil)

// Select implements the library's interface. The last broker's name is only given on the library's own retries, which
// are off.
func (s *selector) Select(msg *primitive.Message, queues []*primitive.MessageQueue, _ string) *primitive.MessageQueue {
	if msg == s.probe {
		s.located.Store(true)
		return nil
	}
	return queues[s.next.Add(1)%uint64(len(queues))]
}
