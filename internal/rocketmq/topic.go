// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Permission bits of a topic at a broker.
const (
	PermWrite = 2
	PermRead  = 4
)

// TopicConfig is a topic as one broker holds it.
type TopicConfig struct {
	Name        string `json:"topicName"`
	ReadQueues  int    `json:"readQueueNums"`
	WriteQueues int    `json:"writeQueueNums"`
	// Perm is made of [PermRead] and [PermWrite].
	Perm int `json:"perm"`
	// SysFlag is RocketMQ's own; 0 for ordinary topics.
	SysFlag int `json:"topicSysFlag"`
	// Order asks the name server for a fixed queue layout; false for ordinary
	// topics, ordered consumption does not need it.
	Order bool `json:"order"`
	// Attributes are those of 5.x, e.g. "message.type": "DELAY".
	Attributes map[string]string `json:"attributes"`
}

// PutTopic creates the topic at one broker or overwrites what it holds of it.
// It does what it is told: a smaller number of queues cuts off the messages in
// the others. Attributes are added or altered, never removed.
//
// A name the broker does not accept is an [ErrRefused] with
// [CodeInvalidParameter].
func (c *Client) PutTopic(ctx context.Context, addr string, t TopicConfig) error {
	fields := Fields{
		{"topic", t.Name},
		{"defaultTopic", defaultTopic},
		{"readQueueNums", itoa(t.ReadQueues)},
		{"writeQueueNums", itoa(t.WriteQueues)},
		{"perm", itoa(t.Perm)},
		{"topicFilterType", "SINGLE_TAG"}, // without it the broker answers code 1
		{"topicSysFlag", itoa(t.SysFlag)},
		{"order", fmt.Sprint(t.Order)},
	}
	if len(t.Attributes) > 0 {
		var changes []string
		for _, name := range slices.Sorted(maps.Keys(t.Attributes)) {
			changes = append(changes, "+"+name+"="+t.Attributes[name])
		}
		fields = append(fields, Field{"attributes", strings.Join(changes, ",")})
	}
	return c.tell(ctx, addr, OpPutTopic, fields, nil)
}

// defaultTopic is the broker's template for topics made by sending.
const defaultTopic = "TBW102"

// TopicConfig reads the topic as one broker holds it; [ErrNotFound] if it does
// not.
func (c *Client) TopicConfig(ctx context.Context, addr, topic string) (TopicConfig, error) {
	var t TopicConfig
	err := c.ask(ctx, addr, OpTopicConfig, Fields{{"topic", topic}}, nil, &t)
	return t, err
}

// DeleteTopic removes the topic, its messages and what groups committed of it
// from one broker; their retry topics stay. A topic that does not exist is no
// error. Name servers still list it: see [Cluster.DeleteRoute].
func (c *Client) DeleteTopic(ctx context.Context, addr, topic string) error {
	return c.tell(ctx, addr, OpDeleteTopic, Fields{{"topic", topic}}, nil)
}
