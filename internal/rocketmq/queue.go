// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// Queue is one queue of a topic at one broker. It is comparable, and marshals
// as the protocol has it.
type Queue struct {
	Topic  string `json:"topic"`
	Broker string `json:"brokerName"`
	ID     int    `json:"queueId"`
}

// String returns "topic@broker#id".
func (q Queue) String() string { return q.Topic + "@" + q.Broker + "#" + strconv.Itoa(q.ID) }

// queueKey is a queue as the key of a JSON object: after repair, its JSON as a
// string.
type queueKey Queue

func (k *queueKey) UnmarshalText(text []byte) error {
	if err := json.Unmarshal(text, (*Queue)(k)); err != nil {
		return fmt.Errorf("read a queue used as a key: %w", err)
	}
	return nil
}

// queueTable is a JSON object keyed by queues.
func queueTable[V any](table map[queueKey]V) map[Queue]V {
	queues := make(map[Queue]V, len(table))
	for k, v := range table {
		queues[Queue(k)] = v
	}
	return queues
}

// ask makes a call whose reply is JSON, repaired if it must be, and reads it
// into reply.
func (c *Client) ask(ctx context.Context, addr string, op Op, fields Fields, body []byte, reply any) error {
	r, err := c.Do(ctx, addr, op, fields, body)
	if err != nil {
		return err
	}
	if err := decodeJSON(r.Body, reply); err != nil {
		return fmt.Errorf("read the reply to %v of %s: %w", op, addr, err)
	}
	return nil
}

// tell makes a call of which only the success counts.
func (c *Client) tell(ctx context.Context, addr string, op Op, fields Fields, body []byte) error {
	_, err := c.Do(ctx, addr, op, fields, body)
	return err
}

func itoa(n int) string     { return strconv.Itoa(n) }
func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// field64 reads a number from the fields of a reply.
func (c *Command) field64(name string) (int64, error) {
	n, err := strconv.ParseInt(c.Fields.Get(name), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the reply's field %s: %w", name, err)
	}
	return n, nil
}
