// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// QueryOffset reads what the group has committed of the queue. [ErrNotFound]
// means never; it is not the same as 0.
func (c *Client) QueryOffset(ctx context.Context, addr, group string, q Queue) (int64, error) {
	return c.offset(ctx, addr, OpQueryOffset, Fields{
		{"consumerGroup", group},
		{"topic", q.Topic},
		{"queueId", itoa(q.ID)},
		{"setZeroIfNotFound", "false"}, // absent, the broker answers 0 and "from the end" is lost
		{"bname", q.Broker},
	})
}

// CommitOffset sets the offset of the next message the group has not finished.
// The broker takes any value from anyone, lower ones and queues the topic does
// not have included; only an unknown topic is an [ErrNotFound].
func (c *Client) CommitOffset(ctx context.Context, addr, group string, q Queue, offset int64) error {
	return c.tell(ctx, addr, OpCommitOffset, Fields{
		{"consumerGroup", group},
		{"topic", q.Topic},
		{"queueId", itoa(q.ID)},
		{"commitOffset", itoa64(offset)},
		{"bname", q.Broker},
	}, nil)
}

// MaxOffset is the offset the queue's next message will get. For a topic or a
// queue that does not exist the broker answers 0.
func (c *Client) MaxOffset(ctx context.Context, addr string, q Queue) (int64, error) {
	return c.offset(ctx, addr, OpMaxOffset, queueFields(q))
}

// MinOffset is the offset of the oldest message the broker still has, or the
// maximum if there is none. For a topic or a queue that does not exist the broker
// answers 0.
func (c *Client) MinOffset(ctx context.Context, addr string, q Queue) (int64, error) {
	return c.offset(ctx, addr, OpMinOffset, queueFields(q))
}

// SearchOffset is the offset of the first message stored at or after t, or the
// maximum if there is none. For a topic or a queue that does not exist the broker
// answers 0.
func (c *Client) SearchOffset(ctx context.Context, addr string, q Queue, t time.Time) (int64, error) {
	return c.offset(ctx, addr, OpSearchOffset, append(queueFields(q), Field{"timestamp", itoa64(t.UnixMilli())}))
}

func queueFields(q Queue) Fields {
	return Fields{{"topic", q.Topic}, {"queueId", itoa(q.ID)}, {"bname", q.Broker}}
}

func (c *Client) offset(ctx context.Context, addr string, op Op, fields Fields) (int64, error) {
	r, err := c.Do(ctx, addr, op, fields, nil)
	if err != nil {
		return 0, err
	}
	n, err := r.field64("offset")
	if err != nil {
		return 0, fmt.Errorf("read the reply to %v of %s: %w", op, addr, err)
	}
	return n, nil
}

// GroupTopic names what a group has committed offsets of.
type GroupTopic struct{ Group, Topic string }

// Offsets are what every group has committed at one broker: group and topic, then queue id, then offset. They are shared, and only read.
type Offsets map[GroupTopic]map[int]int64

// AllOffsets reads what every group has committed at one broker.
func (c *Client) AllOffsets(ctx context.Context, addr string) (Offsets, error) {
	offsets, _, err := c.AllOffsetsSince(ctx, addr, nil, nil)
	return offsets, err
}

// AllOffsetsSince is AllOffsets for who asks again and again: the answer has a mark, and one that is the same as at the mark is nil. It is a megabyte for some
// thousand groups, of which few commit between two looks: what is as it was before is before's own map.
func (c *Client) AllOffsetsSince(ctx context.Context, addr string, before Offsets, mark []byte) (offsets Offsets, now []byte, err error) {
	r, err := c.Do(ctx, addr, OpAllOffsets, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(r.Body)
	if bytes.Equal(sum[:], mark) {
		return nil, mark, nil
	}
	offsets, err = parseOffsets(r.Body, before)
	if err != nil {
		return nil, nil, fmt.Errorf("read the reply to %v of %s: %w", OpAllOffsets, addr, err)
	}
	return offsets, sum[:], nil
}

// parseOffsets reads {"offsetTable":{"topic@group":{0:17,1:4}}}, in which neither a topic nor a group may contain an @. Rows that say the same as before's are those of before.
func parseOffsets(text []byte, before Offsets) (Offsets, error) {
	offsets, scratch := make(Offsets, len(before)), map[int]int64{}
	w := walker{repairer{in: text}}
	err := w.members(func(field []byte) error {
		if string(field) != "offsetTable" {
			return w.skip()
		}
		return w.members(func(key []byte) error {
			topic, group, both := strings.Cut(string(key), "@")
			if !both {
				return errors.New("an offset's key has no @ between topic and group")
			}
			of := GroupTopic{Group: group, Topic: topic}
			row, err := w.row(scratch, before[of])
			offsets[of] = row
			return err
		})
	})
	if err == nil {
		err = w.end()
	}
	return offsets, err
}

// row reads {0:17,1:4} into scratch, and returns a map of its own; one that says the same as before is before.
func (w *walker) row(scratch, before map[int]int64) (map[int]int64, error) {
	clear(scratch)
	err := w.members(func(key []byte) error {
		queue, offset, err := w.number(key)
		scratch[queue] = offset
		return err
	})
	if before != nil && maps.Equal(scratch, before) {
		return before, err
	}
	return maps.Clone(scratch), err
}

// number reads a member whose key is a queue, and whose value an offset.
func (w *walker) number(key []byte) (queue int, offset int64, err error) {
	value, err := w.text()
	if err != nil {
		return 0, 0, err
	}
	queue, wrong := strconv.Atoi(string(key))
	offset, err = strconv.ParseInt(string(value), 10, 64)
	return queue, offset, errors.Join(wrong, err)
}
