// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// batchSize is how many dead letters are looked at together: what a broker returns at a time. So many are sent at most before that is noted.
	batchSize = 32
	// maxPulls of one reconcile, where nothing is selected.
	maxPulls = 32
)

// batch is what one reconcile works on.
type batch struct {
	*Reconciler
	*inputs
	admin   *topology.Admin
	masters map[string]string // addresses by broker
}

// advance makes the next step: notes the ends, settles what was about to be sent, or gives a batch back. Done: there is nothing left. An error is one of the
// Kubernetes API.
func (r *Reconciler) advance(ctx context.Context, seen *inputs) (result.Result, error) {
	reading, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	admin, reached := r.Connector.Connect(reading, seen.cluster)
	if !reached.IsDone() {
		return reached, nil
	}
	cluster, reached := admin.Survey(reading)
	if !reached.IsDone() {
		return reached, nil
	}
	b := &batch{Reconciler: r, inputs: seen, admin: admin, masters: map[string]string{}}
	for _, m := range cluster.Masters {
		b.masters[m.Name] = m.Addr
	}
	if seen.replay.Status.StartTime == nil {
		return b.begin(reading, topology.Lost(seen.cluster, cluster)), nil
	}
	if pending := b.pending(); len(pending) > 0 {
		return b.give(ctx, b.settle(reading, pending))
	}
	return b.give(ctx, b.next(reading))
}

// going says that there is more to do.
func going(after time.Duration) result.Result {
	return result.Wait(v1alpha1.ReasonReplaying, after, "dead letters are looked at and given back")
}

// begin notes where each queue of the dead letters begins and ends.
func (b *batch) begin(ctx context.Context, lost []v1alpha1.BrokerStatus) result.Result {
	if len(lost) > 0 {
		return result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain, "broker %s is away with the dead letters it holds: the replay begins when it is back", lost[0].Name)
	}
	topic := rocketmq.DeadLetterTopic(b.group.Spec.Group)
	var queues []v1alpha1.ReplayQueue
	for name, addr := range b.masters {
		stats, err := b.admin.TopicStats(ctx, addr, topic)
		if errors.Is(err, rocketmq.ErrNotFound) {
			continue // nothing ever died there
		}
		if err != nil {
			return topology.Explain(err, "reading the group's dead letters at broker %s", name)
		}
		for queue, offsets := range stats.Queues {
			id, first, end := int32(queue.ID), offsets.Min, offsets.Max
			queues = append(queues, v1alpha1.ReplayQueue{Broker: name, Queue: &id, Next: &first, End: &end})
		}
	}
	sortQueues(queues)
	b.replay.Status.Queues, b.replay.Status.StartTime = queues, new(metav1.NewTime(b.Now()))
	return going(time.Millisecond)
}

// pending are the places in the record of what was about to be sent.
func (b *batch) pending() (places []int) {
	for i, e := range b.record.entries {
		if e.outcome == outcomeResending {
			places = append(places, i)
		}
	}
	return places
}

// next looks for the next letters that are selected.
func (b *batch) next(ctx context.Context) findings {
	spec := &b.replay.Spec
	room := int(spec.Limit) - len(b.record.entries)
	for range maxPulls {
		q := b.queue()
		if q == nil || room <= 0 {
			return findings{}
		}
		letters, after, broken := b.pull(ctx, q, min(batchSize, int(spec.Rate), room))
		if !broken.IsDone() {
			return findings{then: broken}
		}
		queues, broken := b.retryQueues(ctx, q.Broker)
		if !broken.IsDone() {
			return findings{then: broken}
		}
		if found := b.judge(ctx, letters, spansFrom(queues)); len(found.places) > 0 {
			found.queue, found.after = q, after
			return found
		}
		*q = after
	}
	return findings{then: going(time.Millisecond)}
}

// queue is the first that is not read to its end.
func (b *batch) queue() *v1alpha1.ReplayQueue {
	for i := range b.replay.Status.Queues {
		if q := &b.replay.Status.Queues[i]; *q.Next < *q.End {
			return q
		}
	}
	return nil
}

// master is where a broker is reached. One that was there when the replay began may be away now.
func (b *batch) master(broker string) (addr string, away result.Result) {
	addr, there := b.masters[broker]
	if !there {
		away = result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain, "broker %s is away: its dead letters are given back when it is back", broker)
	}
	return addr, away
}

// pull reads the next letters of a queue. after is how the queue is then: shorter, if the broker lost its end, as when the topic was made anew.
func (b *batch) pull(ctx context.Context, q *v1alpha1.ReplayQueue, most int) (letters []letter, after v1alpha1.ReplayQueue, broken result.Result) {
	addr, broken := b.master(q.Broker)
	if !broken.IsDone() {
		return nil, after, broken
	}
	topic := rocketmq.DeadLetterTopic(b.group.Spec.Group)
	pulled, err := b.admin.Pull(ctx, addr, rocketmq.PullRequest{
		Group: b.group.Spec.Group, Queue: rocketmq.Queue{Topic: topic, Broker: q.Broker, ID: int(*q.Queue)}, Offset: *q.Next, MaxMessages: most,
		Subscription: rocketmq.Subscription{Topic: topic, Expression: "*"},
	})
	if answer := new(rocketmq.Error); errors.As(err, &answer) && answer.Code == rocketmq.CodeTopicNotExist {
		err = nil // it was deleted: a topic without letters
	}
	if err != nil {
		return nil, after, topology.Explain(err, "reading the group's dead letters at broker %s", q.Broker)
	}
	end := min(*q.End, pulled.Max)
	next := min(pulled.Next, end)
	switch {
	case end <= *q.Next:
		next = end
	case next <= *q.Next:
		return nil, after, result.Wait(v1alpha1.ReasonReplaying, lookAgain, "broker %s does not show yet the dead letters it has stored", q.Broker)
	}
	for i := range pulled.Messages {
		m := &pulled.Messages[i]
		if m.Offset >= end {
			break
		}
		l := letter{Message: m}
		l.decode()
		letters = append(letters, l)
	}
	after = *q
	after.Next, after.End = &next, &end
	after.Gone += *q.End - *q.Next - int64(len(letters)) - (end - next) // neither read nor there still
	return letters, after, result.Result{}
}

// judge adds the selected letters to the record, as skipped or about to be sent. unseen is what comes into the retry topic from now on.
func (b *batch) judge(ctx context.Context, letters []letter, unseen []span) findings {
	promised := contractOf(b.adapters)
	found := findings{letters: map[int]letter{}, then: going(time.Millisecond)}
	for _, l := range letters {
		if _, known := b.record.places[l.place()]; known || l.Err == nil && !b.selection.selects(ctx, l) {
			continue
		}
		at := len(b.record.entries)
		e := entry{letter: l.place(), id: recorded(l.ID()), noted: b.Now().UnixMilli()}
		switch e.outcome = promised.judge(l, b.record.taken, b.earlier, b.Now()); {
		case e.outcome != "":
		case b.replay.Spec.Mode == v1alpha1.ReplayModeDryRun:
			e.outcome = skippedDryRun
		default:
			e.outcome, e.unseen, found.letters[at] = outcomeResending, unseen, l
		}
		b.record.add(e)
		found.places = append(found.places, at)
	}
	return found
}

// retryQueues are the queues of the group's retry topic at a broker, by number; none, if there is no such topic. The broker puts what is given back into any.
func (b *batch) retryQueues(ctx context.Context, broker string) ([]rocketmq.QueueStats, result.Result) {
	addr, broken := b.master(broker)
	if !broken.IsDone() {
		return nil, broken
	}
	stats, err := b.admin.TopicStats(ctx, addr, rocketmq.RetryTopic(b.group.Spec.Group))
	if err != nil && !errors.Is(err, rocketmq.ErrNotFound) {
		return nil, topology.Explain(err, "reading the ends of the group's retry topic at broker %s", broker)
	}
	var queues []rocketmq.QueueStats
	for q, content := range stats.Queues {
		for len(queues) <= q.ID {
			queues = append(queues, rocketmq.QueueStats{})
		}
		queues[q.ID] = content
	}
	return queues, result.Result{}
}
