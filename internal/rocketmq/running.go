// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// What a broker asks of a member, in the name of an administrator (220, 221, 307,
// 309), and what is answered. Maps keyed by queues are written as the Java tools
// expect them, with objects for keys.

// RunningInfo is a member's account of itself (307).
type RunningInfo struct {
	Properties    map[string]string // e.g. PROP_CLIENT_VERSION
	Subscriptions []Subscription
	Queues        map[Queue]QueueInfo
	Stack         string // goroutines, if they were asked for
}

// QueueInfo is how a member stands with a queue it owns. Times are milliseconds
// since 1970.
type QueueInfo struct {
	Committed    int64 `json:"commitOffset"`
	CachedMin    int64 `json:"cachedMsgMinOffset"`
	CachedMax    int64 `json:"cachedMsgMaxOffset"`
	Cached       int   `json:"cachedMsgCount"`
	CachedMiB    int   `json:"cachedMsgSizeInMiB"`
	Locked       bool  `json:"locked"`
	LastLocked   int64 `json:"lastLockTimestamp"`
	Dropped      bool  `json:"droped"`
	LastPulled   int64 `json:"lastPullTimestamp"`
	LastConsumed int64 `json:"lastConsumeTimestamp"`
}

// runningInfoJSON is the wire's shape but for the queues.
type runningInfoJSON struct {
	Properties    map[string]string `json:"properties"`
	Subscriptions []Subscription    `json:"subscriptionSet"`
	Statuses      map[string]any    `json:"statusTable"`
	Stack         string            `json:"jstack,omitempty"`
}

// Encode writes the body of an answer to 307. It is JSON only to RocketMQ.
func (i RunningInfo) Encode() ([]byte, error) {
	return encodeByQueue("mqTable", i.Queues, runningInfoJSON{
		Properties:    i.Properties,
		Subscriptions: append([]Subscription{}, i.Subscriptions...),
		Statuses:      map[string]any{},
		Stack:         i.Stack,
	})
}

// RunningInfo asks a member, through the broker it is connected to, for an
// account of itself; [ErrNotOnline] if it is not connected.
func (c *Client) RunningInfo(ctx context.Context, addr, group, clientID string, stack bool) (RunningInfo, error) {
	var reply struct {
		Properties    map[string]string      `json:"properties"`
		Subscriptions []Subscription         `json:"subscriptionSet"`
		Queues        map[queueKey]QueueInfo `json:"mqTable"`
		Stack         string                 `json:"jstack"`
	}
	err := c.ask(ctx, addr, OpRunningInfo, Fields{{"consumerGroup", group}, {"clientId", clientID}, {"jstackEnable", fmt.Sprint(stack)}}, nil, &reply)
	return RunningInfo{Properties: reply.Properties, Subscriptions: reply.Subscriptions, Queues: queueTable(reply.Queues), Stack: reply.Stack}, err
}

// Offsets reads the body of a request 220: an administrator resets a group, and
// each member is told its new offsets, one-way. The topic and the group are fields
// "topic" and "group" of the request. Only a broker with useServerSideResetOffset off
// asks; others say it in the next pull, see [OffsetIllegal].
func (r *Request) Offsets() (map[Queue]int64, error) {
	var body struct {
		Offsets map[queueKey]int64 `json:"offsetTable"`
	}
	if err := decodeJSON(r.Body, &body); err != nil {
		return nil, fmt.Errorf("read the offsets that %s sets: %w", r.Addr, err)
	}
	return queueTable(body.Offsets), nil
}

// EncodeOffsets writes the body of an answer to 221: where a member stands.
func EncodeOffsets(offsets map[Queue]int64) ([]byte, error) {
	return encodeByQueue("messageQueueTable", offsets, struct {
		Consumers map[string]any `json:"consumerTable"`
	}{map[string]any{}})
}

// encodeByQueue writes shape with one field more, the table.
func encodeByQueue[V any](name string, table map[Queue]V, shape any) ([]byte, error) {
	text, err := json.Marshal(shape)
	if err != nil {
		return nil, err
	}
	out := append(text[:len(text)-1], ',')
	if out, err = AppendByQueue(append(appendString(out, name), ':'), table); err != nil {
		return nil, err
	}
	return append(out, '}'), nil
}

// AppendByQueue appends a map as brokers write it, an object with objects for
// keys. [RepairJSON] makes JSON of it.
func AppendByQueue[V any](dst []byte, table map[Queue]V) ([]byte, error) {
	queues := slices.SortedFunc(maps.Keys(table), func(a, b Queue) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Broker, b.Broker), cmp.Compare(a.ID, b.ID))
	})
	dst = append(dst, '{')
	for i, q := range queues {
		key, err := json.Marshal(q)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(table[q])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, key...), ':'), value...)
	}
	return append(dst, '}'), nil
}
