// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// slack is how much later than its delay a message that was given back may be seen in the retry topic.
	slack = 10 * time.Second
	// maxSearch bounds the pulls of one reconcile that look for what was sent.
	maxSearch = 300
)

// settle finds out of what was about to be sent whether it was, and what is to be sent again. What is pending is of one batch, and so of one broker.
func (b *batch) settle(ctx context.Context, pending []int) findings {
	first := b.record.entries[pending[0]]
	last := time.UnixMilli(b.record.entries[pending[len(pending)-1]].noted)
	q, _, err := placeOf(first.letter)
	if err != nil {
		return findings{then: result.Stall(v1alpha1.ReasonRecordLost, "%v: see the ConfigMaps with the label %s=%s", err, labelReplay, b.replay.Name)}
	}
	appears, unknown := b.appears(q.Broker)
	if !unknown.IsDone() {
		return findings{then: unknown}
	}
	seen := last.Add(sendTime + appears)
	if young := seen.Sub(b.Now()); young > 0 {
		return findings{then: result.Wait(v1alpha1.ReasonReplaying, young, "whether broker %s has what was about to be given back can be seen at %s", q.Broker, seen.UTC().Format(time.RFC3339))}
	}
	sent := map[string]bool{}
	left, broken := b.search(ctx, q.Broker, first.unseen, sent)
	found := findings{places: pending, letters: map[int]letter{}, then: broken}
	for _, at := range pending {
		e := &b.record.entries[at]
		if e.unseen = left; sent[e.id] {
			e.outcome, e.unseen = outcomeResent, nil
		}
	}
	if !broken.IsDone() {
		return found // where the search stands is written down
	}
	found.then = going(time.Millisecond)
	promised := contractOf(b.adapters)
	for _, at := range pending {
		e := &b.record.entries[at]
		if e.outcome != outcomeResending {
			continue
		}
		l, broken := b.read(ctx, e.letter)
		if !broken.IsDone() {
			found.then, found.letters = broken, nil
			return found
		}
		if l.Message == nil || l.Err != nil || recorded(l.ID()) != e.id { // the broker has deleted it meanwhile, perhaps with its topic
			e.outcome, e.unseen = skippedUnreadable, nil
			continue
		}
		if why := promised.forbids(l, b.Now()); why != "" { // as it may do by now: the replay may have been paused for long
			e.outcome, e.unseen = why, nil
			continue
		}
		e.unseen = after(left)
		found.letters[at] = l
	}
	return found
}

// appears is how long a message that was given back may take to be seen in the retry topic of a broker.
func (b *batch) appears(broker string) (time.Duration, result.Result) {
	if _, away := b.master(broker); !away.IsDone() {
		return 0, away
	}
	var text string
	for _, s := range b.cluster.Status.Brokers {
		if s.Name == broker {
			text = s.DelayLevels
		}
	}
	levels, err := rocketmq.ParseDelayLevels(text)
	if err != nil {
		return 0, result.Wait(v1alpha1.ReasonReplaying, lookAgain, "messageDelayLevel of broker %s cannot be read, which says when what was given back can be seen: %v", broker, err)
	}
	return levels[givenBackLevel-1] + slack, result.Result{}
}

// after is where what is sent again will be: behind what was searched.
func after(spans []span) []span {
	var next []span
	for _, s := range spans {
		next = append(next, span{from: s.to, to: open})
	}
	return next
}

// search notes which messages the retry topic of a broker has in these spans, and returns what is left to be searched: done, if nothing is.
func (b *batch) search(ctx context.Context, broker string, spans []span, sent map[string]bool) ([]span, result.Result) {
	queues, broken := b.retryQueues(ctx, broker)
	if !broken.IsDone() {
		return spans, broken
	}
	spans = closed(spans, queues)
	topic := rocketmq.RetryTopic(b.group.Spec.Group)
	pulls := 0
	for id := range spans {
		for s := &spans[id]; s.from < s.to; pulls++ {
			if pulls == maxSearch {
				return spans, result.Wait(v1alpha1.ReasonReplaying, time.Millisecond, "the retry topic of broker %s is searched for what was given back", broker)
			}
			pulled, err := b.admin.Pull(ctx, b.masters[broker], rocketmq.PullRequest{
				Group: b.group.Spec.Group, Queue: rocketmq.Queue{Topic: topic, Broker: broker, ID: id}, Offset: s.from, MaxMessages: batchSize,
				Subscription: rocketmq.Subscription{Topic: topic, Expression: "*"},
			})
			if err != nil {
				return spans, topology.Explain(err, "reading the group's retry topic at broker %s", broker)
			}
			if pulled.Next <= s.from {
				return spans, result.Wait(v1alpha1.ReasonReplaying, lookAgain, "the retry topic of broker %s does not show yet all that was stored there", broker)
			}
			for i := range pulled.Messages {
				sent[recorded(pulled.Messages[i].OriginalID())] = true
			}
			s.from = min(pulled.Next, s.to)
		}
	}
	return spans, result.Result{}
}

// read reads one dead letter again; without a message if the broker does not have it any more.
func (b *batch) read(ctx context.Context, place string) (letter, result.Result) {
	q, offset, err := placeOf(place)
	if err != nil {
		return letter{}, result.Fail(v1alpha1.ReasonNotRead, err, "reading the record")
	}
	next, end := offset, offset+1
	letters, _, broken := b.pull(ctx, &v1alpha1.ReplayQueue{Broker: q.Broker, Queue: new(int32(q.ID)), Next: &next, End: &end}, 1)
	if !broken.IsDone() || len(letters) == 0 {
		return letter{}, broken
	}
	return letters[0], result.Result{}
}

// placeOf is the inverse of place. A broker's name may have slashes.
func placeOf(text string) (rocketmq.Queue, int64, error) {
	rest, offsetText, _ := cutLast(text)
	broker, idText, found := cutLast(rest)
	id, errID := strconv.Atoi(idText)
	offset, errOffset := strconv.ParseInt(offsetText, 10, 64)
	if !found || errID != nil || errOffset != nil {
		return rocketmq.Queue{}, 0, fmt.Errorf("%q names no dead letter", text)
	}
	return rocketmq.Queue{Broker: broker, ID: id}, offset, nil
}

func cutLast(text string) (before, after string, found bool) {
	i := strings.LastIndexByte(text, '/')
	if i < 0 {
		return "", text, false
	}
	return text[:i], text[i+1:], true
}
