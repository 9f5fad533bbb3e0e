// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// stuckAfter is how long pods hand messages out without finishing the first of a queue, while others come behind it, before that is told: longer than
	// the requests of a message with their timeouts take where a third party is slow. Time in which pods are parked or suspended, or there are none, does not count.
	stuckAfter = 5 * time.Minute
	// keptStuck are named in the status.
	keptStuck = 16
	// longestMessageID is what fits into the status; a longer one cannot be skipped by its id either.
	longestMessageID = 128
)

// stuckQueues are the queues whose first message does not get finished. What was told once stays until the group moves there, whatever happens to pods and
// operators meanwhile.
func stuckQueues(seen *inputs, now time.Time) []v1alpha1.StuckQueue {
	was := slices.Clone(seen.group.Status.StuckQueues)
	if seen.unread || !seen.signals.Fresh(now) {
		return was
	}
	var stuck []v1alpha1.StuckQueue
	for _, h := range seen.heads {
		if rocketmq.IsDeadLetter(h.Queue.Topic) {
			continue
		}
		name := h.Queue.String()
		known := slices.IndexFunc(was, func(s v1alpha1.StuckQueue) bool { return s.Queue == name && s.Offset == h.Offset })
		switch {
		case known >= 0:
			stuck = append(stuck, was[known])
		case h.Grown && h.Still >= stuckAfter:
			stuck = append(stuck, v1alpha1.StuckQueue{Queue: name, Offset: h.Offset, Since: metav1.NewTime(h.Since.Truncate(time.Second))})
		}
	}
	slices.SortFunc(stuck, func(a, b v1alpha1.StuckQueue) int {
		return cmp.Or(a.Since.Compare(b.Since.Time), cmp.Compare(a.Queue, b.Queue))
	})
	return stuck[:min(len(stuck), keptStuck)]
}

// gatherStuck reads the messages that hold queues, each once: it is kept in the status. One that cannot be read stays without a name.
func gatherStuck(ctx context.Context, seen *inputs) {
	for i := range seen.stuck {
		s := &seen.stuck[i]
		at := slices.IndexFunc(seen.heads, func(h lag.Head) bool { return h.Queue.String() == s.Queue })
		if s.StoredTime != nil || at < 0 {
			continue
		}
		queue := seen.heads[at].Queue
		broker := slices.IndexFunc(seen.broker.masters, func(m topology.Master) bool { return m.Name == queue.Broker })
		if broker < 0 {
			continue
		}
		m, err := seen.broker.admin.Peek(ctx, seen.broker.masters[broker].Addr, queue, s.Offset)
		if err != nil || m.Offset != s.Offset {
			continue
		}
		s.StoredTime = new(metav1.NewTime(m.StoredAt().Truncate(time.Second)))
		if id := m.OriginalID(); len(id) <= longestMessageID {
			s.MessageID = id
		}
	}
}

// queueStuck is the condition QueueStuck.
func queueStuck(seen *inputs, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionQueueStuck, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonQueuesMove, Message: "the group gets on in every queue in which messages wait"}
	before := standing(seen, c.Type)
	switch {
	case broadcasts(seen.group):
		c.Message = "with consume.model Broadcasting positions are the pods' own"
	case before != nil:
		return *before
	case !seen.signals.Fresh(now):
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "the brokers were not asked yet, or do not answer: BrokerReady says more"
	case len(seen.stuck) > 0:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonQueueStandsStill
		c.Message = describeStuck(seen.group, seen.stuck) + ownerOf(seen)
	}
	return c
}

// describeStuck names the first and counts the others. It gives no numbers that go on, as each would be a change.
func describeStuck(group *v1alpha1.MQConsumerGroup, stuck []v1alpha1.StuckQueue) string {
	first := stuck[0]
	var b strings.Builder
	fmt.Fprintf(&b, "queue %s has not moved since %s, while more messages come: ", first.Queue, first.Since.UTC().Format(time.RFC3339))
	if first.StoredTime == nil {
		fmt.Fprintf(&b, "the message at offset %d, which the broker does not show, is not finished", first.Offset)
	} else {
		fmt.Fprintf(&b, "message %s at offset %d, stored %s, is not finished", cmp.Or(first.MessageID, "(its id is too long)"), first.Offset, first.StoredTime.UTC().Format(time.RFC3339))
	}
	if more := len(stuck) - 1; more > 0 {
		fmt.Fprintf(&b, "; nor are %d other queues, see status.stuckQueues", more)
	}
	if group.Spec.Consume.Order == v1alpha1.ConsumeOrderly {
		b.WriteString("; with consume.order Orderly it may be that it is tried again in place, as spec.retry says")
	}
	b.WriteString(": see what the pods log of it; one that can never be handled becomes a dead letter if spec.skipMessageIDs names it; if no pod logs anything of it, none may own the queue: delete the pods one after the other")
	return b.String()
}

// ownerOf names the pod that owns the queue where there is one only.
func ownerOf(seen *inputs) string {
	if len(seen.reports) != 1 {
		return ""
	}
	return fmt.Sprintf("; pod %s is the only one and owns %d queues", seen.reports[0].Pod, seen.reports[0].Answer.Queues)
}

// stuckMoved reports whether other queues are stuck than the status says.
func stuckMoved(seen *inputs) bool {
	return !slices.EqualFunc(seen.stuck, seen.group.Status.StuckQueues, func(a, b v1alpha1.StuckQueue) bool { return a.Queue == b.Queue && a.Offset == b.Offset })
}
