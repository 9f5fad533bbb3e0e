// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
)

// TopicStats is a topic's content at one broker.
type TopicStats struct {
	Queues map[Queue]QueueStats
	PutTPS float64 // messages per second, the broker's average
}

// QueueStats is a queue's content: messages of offsets [Min, Max).
type QueueStats struct {
	Min         int64 `json:"minOffset"`
	Max         int64 `json:"maxOffset"`
	LastUpdated int64 `json:"lastUpdateTimestamp"` // ms since 1970; 0 if empty
}

// TopicStats reads a topic's content at one broker; [ErrNotFound] if it is not
// there.
func (c *Client) TopicStats(ctx context.Context, addr, topic string) (TopicStats, error) {
	var reply struct {
		Queues map[queueKey]QueueStats `json:"offsetTable"`
		PutTPS float64                 `json:"topicPutTps"`
	}
	err := c.ask(ctx, addr, OpTopicStats, Fields{{"topic", topic}}, nil, &reply)
	return TopicStats{Queues: queueTable(reply.Queues), PutTPS: reply.PutTPS}, err
}

// ConsumeStats is how far a group has come at one broker.
type ConsumeStats struct {
	Queues map[Queue]Progress
	TPS    float64 // messages per second, the broker's average
}

// Progress is how far a group has come in a queue. A queue of which it never
// committed anything looks like one committed at 0: [Client.QueryOffset] tells
// them apart.
type Progress struct {
	BrokerOffset   int64 `json:"brokerOffset"`   // the queue's maximum
	ConsumerOffset int64 `json:"consumerOffset"` // committed
	PullOffset     int64 `json:"pullOffset"`
	LastTimestamp  int64 `json:"lastTimestamp"` // when the last committed message was stored, ms since 1970
}

// Lag is the number of messages not committed yet.
func (s ConsumeStats) Lag() int64 {
	var lag int64
	for _, p := range s.Queues {
		lag += p.BrokerOffset - p.ConsumerOffset
	}
	return lag
}

// ConsumeStats reads how far the group has come at one broker, in one topic or,
// if it is empty, in every topic it committed offsets of (its retry topic
// included). A group that was never seen has no queues, which is no error.
func (c *Client) ConsumeStats(ctx context.Context, addr, group, topic string) (ConsumeStats, error) {
	fields := Fields{{"consumerGroup", group}}
	if topic != "" {
		fields = append(fields, Field{"topic", topic})
	}
	var reply struct {
		Queues map[queueKey]Progress `json:"offsetTable"`
		TPS    float64               `json:"consumeTps"`
	}
	err := c.ask(ctx, addr, OpConsumeStats, fields, nil, &reply)
	return ConsumeStats{Queues: queueTable(reply.Queues), TPS: reply.TPS}, err
}
