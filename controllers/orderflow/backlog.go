// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"context"
	"errors"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

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

// count reads what all masters hold of the topic. Where one of them cannot be asked, that is not known.
func count(ctx context.Context, admin *topology.Admin, cluster *v1alpha1.MQCluster, survey topology.Cluster, topic string) (*backlog, result.Result) {
	if lost := topology.Lost(cluster, survey); len(lost) > 0 {
		return nil, result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain, "the name servers have dropped broker %s, and nobody knows what it holds of topic %s", lost[0].Name, topic)
	}
	all := &backlog{groups: map[string]int64{}}
	for _, master := range survey.Masters {
		if err := all.read(ctx, admin, master.Addr, topic); err != nil {
			return nil, topology.Explain(err, "counting the unconsumed messages of topic %s on broker %s", topic, master.Name)
		}
	}
	return all, result.Result{}
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
func (b *backlog) check(topic v1alpha1.TopicSpec, cluster string, consumers map[string]*v1alpha1.MQConsumerGroup) result.Result {
	r := b.missed(topic.Name, cluster, consumers)
	if !r.IsDone() && topic.Permission == v1alpha1.TopicWrite {
		r.Message += "; nobody can consume it while spec.topic.permission is Write: set it to Read, with which nothing new is taken"
	}
	return r
}

func (b *backlog) missed(topic, cluster string, consumers map[string]*v1alpha1.MQConsumerGroup) result.Result {
	for _, group := range slices.Sorted(maps.Keys(b.groups)) {
		messages := b.groups[group]
		consumer, ours := consumers[group]
		switch {
		case messages == 0:
		case ours:
			return result.Wait(v1alpha1.ReasonMessagesUnconsumed, lookAgain,
				"topic %s is not deleted, since group %s has %d messages to handle, retries included: MQConsumerGroup %s goes on with them, and its conditions say if it cannot",
				topic, group, messages, client.ObjectKeyFromObject(consumer))
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
