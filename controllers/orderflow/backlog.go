// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"context"
	"errors"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

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

// read adds what one broker holds: the topic's messages per group, and the group's retries. Dead letters outlive the topic and are not counted.
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
		retry := rocketmq.RetryTopic(key.Group)
		retries, err := statsOf(ctx, admin, addr, retry)
		if err != nil {
			return err
		}
		b.groups[key.Group] += behind(stats, committed) + behind(retries, offsets[rocketmq.GroupTopic{Group: key.Group, Topic: retry}])
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

// check refuses while a message would be missed. consumers are the MQConsumerGroups of the topic, by the name of their group on the broker.
func (b *backlog) check(topic, cluster string, consumers map[string]types.NamespacedName) result.Result {
	for _, group := range slices.Sorted(maps.Keys(b.groups)) {
		messages := b.groups[group]
		consumer, ours := consumers[group]
		switch {
		case messages == 0:
		case ours:
			return result.Wait(v1alpha1.ReasonMessagesUnconsumed, lookAgain,
				"topic %s is not deleted, since group %s has %d messages to handle, retries included: MQConsumerGroup %s goes on with them, and its conditions say if it cannot",
				topic, group, messages, consumer)
		default:
			return result.Wait(v1alpha1.ReasonMessagesUnconsumed, lookAgain,
				"topic %s is not deleted, since group %s has %d messages to handle, retries included, and no MQConsumerGroup declares it: let its consumers finish, or, if nobody uses it any more, run mqadmin deleteSubGroup -c %s -g %s -r true",
				topic, group, messages, cluster, group)
		}
	}
	if len(b.groups) == 0 && b.stored > 0 {
		return result.Wait(v1alpha1.ReasonMessagesUnconsumed, lookAgain, "topic %s is not deleted, since it holds %d messages that no group has consumed", topic, b.stored)
	}
	return result.Result{}
}
