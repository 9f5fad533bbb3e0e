// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// clockMargin between the operator's clock and those of the brokers, on the safe side: a message too many rather than one too few.
const clockMargin = time.Minute

// seed gives every queue of every master that has no offset its start: of the topic, and of the retry topic. An offset that is there is
// never touched. Where the sampler has seen that every queue there is has one, there is nothing to ask.
func seed(ctx context.Context, seen *inputs, now time.Time, done *steps) error {
	if broadcasts(seen.group) { // positions are the pods' own
		return nil
	}
	sawAll := seen.signals.Fresh(now) && !seen.signals.Unseeded && cmp.Or(seen.broker.queues(), seen.signals.Queues) == seen.signals.Queues
	if seen.group.Status.SeededTime != nil && !demanded(seen.group) && sawAll {
		return nil
	}
	b, name, from := seen.broker, seen.group.Spec.Group, startOf(seen.group)
	if migrating(seen) && seen.group.Status.SeededTime == nil {
		from = awaitTheirs
	}
	for _, m := range b.masters {
		if err := seedQueues(ctx, seen, done, m.Addr, b.topic[m.Name], from); err != nil {
			return err
		}
		retry, err := b.admin.TopicStats(ctx, m.Addr, rocketmq.RetryTopic(name))
		if err != nil {
			return err
		}
		if err := seedQueues(ctx, seen, done, m.Addr, retry, (*topology.Admin).MinOffset); err != nil {
			return err
		}
	}
	return nil
}

// demanded reports whether somebody wants the group looked at at once and whole.
func demanded(group *v1alpha1.MQConsumerGroup) bool {
	return demand.Pending(group, group.Status.LastHandledReconcileAt)
}

// seedQueues seeds all queues of a topic at one broker, and returns the first error.
func seedQueues(ctx context.Context, seen *inputs, done *steps, addr string, topic rocketmq.TopicStats, from start) error {
	queues := slices.SortedFunc(maps.Keys(topic.Queues), func(a, b rocketmq.Queue) int { return a.ID - b.ID })
	later := make([]*laterSeed, len(queues))
	errs := atOnce(len(queues), func(i int) (err error) {
		later[i], err = seedQueue(ctx, seen, addr, queues[i], from)
		return err
	})
	for _, l := range later {
		if l != nil {
			done.seededLater = append(done.seededLater, *l)
		}
	}
	return cmp.Or(errs...)
}

// start finds the offset at which a group begins in a queue.
type start func(admin *topology.Admin, ctx context.Context, addr string, q rocketmq.Queue) (int64, error)

// seedQueue returns what it set if the group had begun before.
func seedQueue(ctx context.Context, seen *inputs, addr string, q rocketmq.Queue, from start) (*laterSeed, error) {
	admin, group := seen.broker.admin, seen.group.Spec.Group
	if _, err := admin.QueryOffset(ctx, addr, group, q); !errors.Is(err, rocketmq.ErrNotFound) {
		return nil, err // nil: it has one
	}
	stood, lost := seen.lost[q]
	begun := seen.group.Status.SeededTime != nil // else what was there was another's of its name
	if lost = lost && begun; lost {
		from = whereItStood(stood)
	}
	offset, err := from(admin, ctx, addr, q)
	if err != nil {
		return nil, err
	}
	if err := admin.CommitOffset(ctx, addr, group, q, offset); err != nil || !begun {
		return nil, err
	}
	return &laterSeed{q, offset, lost}, nil
}

// laterSeed is an offset that a queue was given after the group had begun.
type laterSeed struct {
	queue  rocketmq.Queue
	offset int64
	// lost: it had one before.
	lost bool
}

// whereItStood is where a group goes on whose offset somebody deleted. Had the topic been made anew since, all of it came later than the offset was seen.
func whereItStood(last lag.Committed) start {
	return func(admin *topology.Admin, ctx context.Context, addr string, q rocketmq.Queue) (int64, error) {
		since, err := admin.SearchOffset(ctx, addr, q, last.At.Add(-clockMargin))
		return min(since, last.Offset), err
	}
}

// startOf is where the group begins. Latest is the end of the queue while the group is being made; a queue that appears later begins with
// what was stored since: all of it if it is new, and if its broker was away, nothing that was there before the group.
func startOf(group *v1alpha1.MQConsumerGroup) start {
	since := func(t time.Time) start {
		return func(admin *topology.Admin, ctx context.Context, addr string, q rocketmq.Queue) (int64, error) {
			return admin.SearchOffset(ctx, addr, q, t)
		}
	}
	from, seeded := group.Spec.Consume.StartFrom, group.Status.SeededTime
	switch {
	case from.Position == v1alpha1.StartEarliest:
		return (*topology.Admin).MinOffset
	case from.Position == v1alpha1.StartTimestamp:
		return since(from.Timestamp.Time)
	case seeded != nil:
		return since(seeded.Add(-clockMargin))
	}
	return (*topology.Admin).MaxOffset
}
