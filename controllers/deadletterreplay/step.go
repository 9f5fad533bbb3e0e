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
	// maxSearch bounds the pulls that look for what was sent.
	maxSearch = 1000
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
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	admin, reached := r.Connector.Connect(ctx, seen.cluster)
	if !reached.IsDone() {
		return reached, nil
	}
	cluster, reached := admin.Survey(ctx)
	if !reached.IsDone() {
		return reached, nil
	}
	b := &batch{Reconciler: r, inputs: seen, admin: admin, masters: map[string]string{}}
	for _, m := range cluster.Masters {
		b.masters[m.Name] = m.Addr
	}
	if seen.replay.Status.StartTime == nil {
		return b.begin(ctx, topology.Lost(seen.cluster, cluster)), nil
	}
	if pending := b.pending(); len(pending) > 0 {
		return b.settle(ctx, pending)
	}
	return b.next(ctx)
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

// next gives the next letters back that are selected.
func (b *batch) next(ctx context.Context) (result.Result, error) {
	spec := &b.replay.Spec
	room := int(spec.Limit) - len(b.record.entries)
	for range maxPulls {
		q := b.queue()
		if q == nil || room <= 0 {
			return result.Result{}, nil
		}
		letters, next, broken := b.pull(ctx, q, min(batchSize, int(spec.Rate), room))
		if !broken.IsDone() {
			return broken, nil
		}
		since, broken := b.retryEnd(ctx, q.Broker)
		if !broken.IsDone() {
			return broken, nil
		}
		if found := b.judge(ctx, letters, since); len(found) > 0 {
			step, err := b.give(ctx, letters, found)
			if err == nil {
				q.Next = &next
			}
			return step, err
		}
		q.Next = &next
	}
	return going(time.Millisecond), nil
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

// pull reads the next letters of a queue. next is where to go on.
func (b *batch) pull(ctx context.Context, q *v1alpha1.ReplayQueue, most int) (letters []letter, next int64, broken result.Result) {
	addr, there := b.masters[q.Broker]
	if !there {
		return nil, 0, result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain, "broker %s is away: its dead letters are given back when it is back", q.Broker)
	}
	topic := rocketmq.DeadLetterTopic(b.group.Spec.Group)
	pulled, err := b.admin.Pull(ctx, addr, rocketmq.PullRequest{
		Group: b.group.Spec.Group, Queue: rocketmq.Queue{Topic: topic, Broker: q.Broker, ID: int(*q.Queue)}, Offset: *q.Next, MaxMessages: most,
		Subscription: rocketmq.Subscription{Topic: topic, Expression: "*"},
	})
	if err != nil {
		return nil, 0, topology.Explain(err, "reading the group's dead letters at broker %s", q.Broker)
	}
	next = min(pulled.Next, *q.End)
	if next <= *q.Next {
		return nil, 0, result.Wait(v1alpha1.ReasonReplaying, lookAgain, "broker %s does not show yet the dead letters it has stored", q.Broker)
	}
	for i := range pulled.Messages {
		m := &pulled.Messages[i]
		if m.Offset >= *q.End {
			break
		}
		l := letter{Message: m}
		l.decode()
		letters = append(letters, l)
	}
	return letters, next, result.Result{}
}

// judge adds the selected letters to the record, as skipped or about to be sent, and returns the letters' indexes by their places in it. since is the end of
// the retry topic.
func (b *batch) judge(ctx context.Context, letters []letter, since int64) map[int]int {
	promised := contractOf(b.adapters)
	found := map[int]int{}
	for i, l := range letters {
		if _, known := b.record.places[l.place()]; known || l.Err == nil && !b.selection.selects(ctx, l) {
			continue
		}
		outcome := promised.judge(l, b.record.taken, b.Now())
		switch {
		case outcome != "":
		case b.replay.Spec.Mode == v1alpha1.ReplayModeDryRun:
			outcome = skippedDryRun
		default:
			outcome = outcomeResending
		}
		found[len(b.record.entries)] = i
		b.record.add(entry{letter: l.place(), id: oneWord(l.ID()), outcome: outcome, since: since, noted: b.Now().UnixMilli()})
	}
	return found
}

// give notes what is about to be sent, sends it, and notes that.
func (b *batch) give(ctx context.Context, letters []letter, found map[int]int) (result.Result, error) {
	var places []int
	sending := 0
	for at := len(b.record.entries) - len(found); at < len(b.record.entries); at++ {
		places = append(places, at)
		if b.record.entries[at].outcome == outcomeResending {
			sending++
		}
	}
	if err := b.writeRecord(ctx, b.replay, b.record, places); err != nil || sending == 0 {
		return going(time.Millisecond), err
	}
	for _, at := range places {
		if e := &b.record.entries[at]; e.outcome == outcomeResending {
			e.outcome = b.send(ctx, letters[found[at]])
		}
	}
	return b.pace(sending), b.writeRecord(ctx, b.replay, b.record, places)
}

// pace is how long so many messages take.
func (b *batch) pace(sent int) result.Result {
	return going(time.Duration(sent) * time.Second / time.Duration(b.replay.Spec.Rate))
}

// The broker is asked to give the message back after its shortest delay, which it does at once for nobody. Its own limit of attempts is not what ends it.
const (
	shortestDelay = 1
	moreAttempts  = 100
)

// send gives one message back and returns its outcome: as it was, if whether the broker has it is not known.
func (b *batch) send(ctx context.Context, l letter) string {
	err := b.admin.SendBack(ctx, b.masters[l.Queue.Broker], rocketmq.SendBackRequest{
		Group: b.group.Spec.Group, Message: l.Message, DelayLevel: shortestDelay, MaxReconsume: l.Reconsumed + moreAttempts,
	})
	var refusal *rocketmq.Error
	switch {
	case err == nil:
		return outcomeResent
	case errors.As(err, &refusal) && refusal.Code == rocketmq.CodeMessageIllegal:
		return skippedTooLarge
	}
	return outcomeResending
}

// retryEnd is where the next message of the group's retry topic will be.
func (b *batch) retryEnd(ctx context.Context, broker string) (int64, result.Result) {
	end, err := b.admin.MaxOffset(ctx, b.masters[broker], rocketmq.Queue{Topic: rocketmq.RetryTopic(b.group.Spec.Group), Broker: broker})
	if err != nil {
		return 0, topology.Explain(err, "reading the end of the group's retry topic at broker %s", broker)
	}
	return end, result.Result{}
}
