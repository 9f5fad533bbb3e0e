// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// leastMargin is what has to be left of a broker's retention at least, and a quarter of it in any case: with the usual 72 h a message is at risk from the 54th
	// hour on. A retention so short that this would be more than half of it warns at its half.
	leastMargin = 6 * time.Hour
	// fullMargin is how long a message may wait at a broker whose disk is full, before that is told: such a broker deletes the oldest there are.
	fullMargin = 10 * time.Minute
	// oldestStep is how old the oldest message has to be to be told of, and by how much, and by which part of its age, it has to move to be told of anew.
	oldestStep, oldestPart = time.Minute, 10
)

// margin before the end of a retention in which what waits is at risk.
func margin(retention time.Duration) time.Duration {
	return min(max(retention/4, leastMargin), retention/2)
}

// risk is a message that is about to be deleted.
type risk struct {
	head   lag.Head
	broker v1alpha1.BrokerStatus
	reason string
	// end is when it may be deleted; now, in effect, where the disk is full.
	end time.Time
}

// risks are all heads at risk, what waits before dead letters, each in the order of their ends; complete says that of every head it is known.
func risks(seen *inputs, now time.Time) (at []risk, complete bool) {
	if seen.cluster == nil {
		return nil, len(seen.heads) == 0
	}
	complete = true
	for _, h := range seen.heads {
		broker := seen.cluster.Status.Broker(h.Queue.Broker)
		if h.Stored.IsZero() || broker == nil || broker.Retention == nil {
			complete = false
			continue
		}
		if r := riskOf(h, *broker, now); r.reason != "" {
			at = append(at, r)
		}
	}
	slices.SortFunc(at, func(a, b risk) int {
		if a.letter() != b.letter() {
			if b.letter() {
				return -1
			}
			return 1
		}
		return a.end.Compare(b.end)
	})
	return at, complete
}

func (r risk) letter() bool { return rocketmq.IsDeadLetter(r.head.Queue.Topic) }

func riskOf(h lag.Head, b v1alpha1.BrokerStatus, now time.Time) risk {
	retention := b.Retention.Duration
	r := risk{head: h, broker: b, end: h.Stored.Add(retention)}
	switch {
	case b.Disk == v1alpha1.DiskFull && now.Sub(h.Stored) >= fullMargin:
		r.reason, r.end = v1alpha1.ReasonDiskFull, h.Stored
	case now.Before(r.end.Add(-margin(retention))):
	case r.letter():
		r.reason = v1alpha1.ReasonDeadLettersExpiring
	default:
		r.reason = v1alpha1.ReasonMessagesExpiring
	}
	return r
}

// retentionAtRisk is the condition RetentionAtRisk.
func retentionAtRisk(seen *inputs, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionRetentionAtRisk, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRetentionSuffices, Message: "no message that waits, and no dead letter, is near the end of its broker's retention"}
	at, complete := risks(seen, now)
	before := known(seen, c.Type)
	switch {
	case broadcasts(seen.group):
		c.Message = "with consume.model Broadcasting positions are the pods' own, and no broker knows what they have not read"
	case seen.unread && before != nil:
		return *before
	case !seen.signals.Fresh(now):
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "the brokers were not asked yet, or do not answer: BrokerReady says more"
	case len(at) > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, at[0].reason, at[0].message(seen.group.Name, len(at)-1)
	case !complete && seen.young && before != nil:
		return *before
	case !complete:
		c.Status, c.Reason = metav1.ConditionUnknown, v1alpha1.ReasonNotRead
		c.Message = "the age of what waits, or the retention of a broker, is not known yet: it is asked for within minutes; see that the MQCluster is Ready"
	}
	return c
}

// message says what is at risk, from when on, and what to do. It names moments rather than ages, which would be a change every second.
func (r risk) message(group string, more int) string {
	what, advice := "messages wait", "have them handled before: Parked, ThirdPartyDown, QueueStuck and Scaling say what holds them up"
	switch {
	case r.letter():
		what, advice = "dead letters lie", "give them back with a DeadLetterReplay for group "+group+", or save what you need of them"
	case rocketmq.IsRetry(r.head.Queue.Topic):
		what = "messages to be tried again wait"
	}
	stored := r.head.Stored.UTC().Truncate(time.Minute).Format(time.RFC3339)
	var b string
	if r.reason == v1alpha1.ReasonDiskFull {
		b = fmt.Sprintf("%s in queue %s since %s, and the disk of broker %s is so full that it deletes the oldest whatever their age: make room on its disk; %s", what, r.head.Queue, stored, r.broker.Name, advice)
	} else {
		b = fmt.Sprintf("%s in queue %s since %s; broker %s keeps them for %s and may delete the first from %s on, at hour %s of its day: %s, or have fileReservedTime raised in the broker's configuration",
			what, r.head.Queue, stored, r.broker.Name, hours(r.broker.Retention.Duration), r.end.UTC().Truncate(time.Minute).Format(time.RFC3339), cmp.Or(r.broker.DeleteWhen, "(unknown)"), advice)
	}
	if more > 0 {
		b += fmt.Sprintf("; the same is true of %d more queues", more)
	}
	return b
}

func hours(d time.Duration) string { return fmt.Sprintf("%dh", int64(d/time.Hour)) }

// retentionMoved reports whether that condition became True, or is it no more. That another message is the first is told with the next look.
func retentionMoved(seen *inputs, now time.Time) bool {
	c := retentionAtRisk(seen, now)
	return condition.Is(seen.group.Status.Conditions, c.Type, metav1.ConditionTrue) != (c.Status == metav1.ConditionTrue)
}

// oldestMessage is when the oldest message that waits was stored, as the status is to say it: what it says already, unless that moved by more than a little.
func oldestMessage(seen *inputs, now time.Time) *metav1.Time {
	was := seen.group.Status.OldestMessageTime
	if !seen.signals.Fresh(now) {
		return nil
	}
	var oldest time.Time
	for _, h := range seen.heads {
		switch {
		case rocketmq.IsDeadLetter(h.Queue.Topic):
		case h.Stored.IsZero():
			return was // it may be this
		case oldest.IsZero() || h.Stored.Before(oldest):
			oldest = h.Stored
		}
	}
	age := now.Sub(oldest)
	switch {
	case oldest.IsZero() || age < oldestStep:
		return nil
	case was != nil && oldest.Sub(was.Time).Abs() <= max(oldestStep, age/oldestPart):
		return was
	}
	return new(metav1.NewTime(oldest.Truncate(time.Second)))
}

// replayed are the ends of what the group's replays have gone through of its dead letters: each looked at all there were, and is done.
func replayed(group *v1alpha1.MQConsumerGroup, replays []*v1alpha1.DeadLetterReplay) map[rocketmq.Queue]int64 {
	var ends map[rocketmq.Queue]int64
	for _, r := range replays {
		whole := r.Spec.Mode != v1alpha1.ReplayModeDryRun && r.Spec.Window == nil && r.Spec.Filter == nil
		if r.Status.CompletionTime == nil || !whole {
			continue
		}
		if ends == nil {
			ends = map[rocketmq.Queue]int64{}
		}
		for _, q := range r.Status.Queues {
			if q.Queue != nil && q.End != nil {
				queue := rocketmq.Queue{Topic: rocketmq.DeadLetterTopic(group.Spec.Group), Broker: q.Broker, ID: int(*q.Queue)}
				ends[queue] = max(ends[queue], *q.End)
			}
		}
	}
	return ends
}
