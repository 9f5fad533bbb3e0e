// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"context"
	"errors"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// backlog is what of a topic has not been consumed, over all brokers.
type backlog struct {
	// stored messages of the topic.
	stored int64
	// groups that ever committed an offset of the topic, with the messages they have yet to handle.
	groups map[string]int64
}

// read adds what one broker holds: the topic's messages per group, and the group's retries and dead letters, which go with the topic.
func (b *backlog) read(ctx context.Context, admin *topology.Admin, addr, topic string) error {
	stats, err := statsOf(ctx, admin, addr, topic)
	if err != nil {
		return err
	}
	offsets, err := admin.AllOffsets(ctx, addr)
	if err != nil {
		return err
	}
	b.stored += behind(stats, nil)
	if b.groups == nil {
		b.groups = map[string]int64{}
	}
	for key, committed := range offsets {
		if key.Topic != topic {
			continue
		}
		b.groups[key.Group] += behind(stats, committed)
		for _, own := range []string{rocketmq.RetryTopic(key.Group), rocketmq.DeadLetterTopic(key.Group)} {
			stats, err := statsOf(ctx, admin, addr, own)
			if err != nil {
				return err
			}
			b.groups[key.Group] += behind(stats, offsets[rocketmq.GroupTopic{Group: key.Group, Topic: own}])
		}
	}
	return nil
}

// statsOf is empty for a topic the broker does not have.
func statsOf(ctx context.Context, admin *topology.Admin, addr, topic string) (rocketmq.TopicStats, error) {
	stats, err := admin.TopicStats(ctx, addr, topic)
	if errors.Is(err, rocketmq.ErrNotFound) {
		return rocketmq.TopicStats{}, nil
	}
	return stats, err
}

// behind counts the messages from the committed offsets on, or all where there are none; those the broker no longer has do not count.
func behind(stats rocketmq.TopicStats, committed map[int]int64) int64 {
	var n int64
	for queue, content := range stats.Queues {
		n += content.Max - min(content.Max, max(content.Min, committed[queue.ID]))
	}
	return n
}

// check refuses while a message would be missed.
func (b *backlog) check(topic string) result.Result {
	for group, messages := range b.groups {
		if messages > 0 {
			return result.Wait(v1alpha1.ReasonMessagesUnconsumed, lookAgain,
				"topic %s is not deleted, since group %s has %d messages to handle, retries and dead letters included: its pods go on with them", topic, group, messages)
		}
	}
	if len(b.groups) == 0 && b.stored > 0 {
		return result.Wait(v1alpha1.ReasonMessagesUnconsumed, lookAgain, "topic %s is not deleted, since it holds %d messages that no group has consumed", topic, b.stored)
	}
	return result.Result{}
}
