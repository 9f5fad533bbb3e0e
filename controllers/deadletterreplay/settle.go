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

// appears is how long a message that was given back may take to be seen in the retry topic: the broker's shortest delay, and some.
const appears = 10 * time.Second

// settle finds out of what was about to be sent whether it was, and sends what was not.
func (b *batch) settle(ctx context.Context, pending []int) (result.Result, error) {
	last := time.UnixMilli(b.record.entries[pending[len(pending)-1]].noted)
	if young := appears - b.Now().Sub(last); young > 0 {
		return result.Wait(v1alpha1.ReasonReplaying, young, "whether a broker has what was about to be given back can be seen in a moment"), nil
	}
	sent := map[string]bool{}
	searched := map[string]bool{}
	for _, at := range pending {
		e := b.record.entries[at]
		broker, _, _ := strings.Cut(e.letter, "/")
		if searched[broker] { // the first of a broker has the lowest offset
			continue
		}
		searched[broker] = true
		if broken := b.search(ctx, broker, e.since, sent); !broken.IsDone() {
			return broken, nil
		}
	}
	sending := 0
	for _, at := range pending {
		e := &b.record.entries[at]
		if sent[e.id] {
			e.outcome = outcomeResent
			continue
		}
		l, broken := b.read(ctx, e.letter)
		if !broken.IsDone() {
			return broken, nil
		}
		if l.Message == nil { // the broker has deleted it meanwhile
			e.outcome = skippedUnreadable
			continue
		}
		sending++
		e.outcome = b.send(ctx, l)
	}
	if err := b.writeRecord(ctx, b.replay, b.record, pending); err != nil {
		return result.Result{}, err
	}
	if len(b.pending()) > 0 {
		return result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain, "a broker did not say whether it has what was given back: that is looked up, and sent again if it has not"), nil
	}
	return b.pace(max(sending, 1)), nil
}

// search notes which messages the retry topic of a broker has, from an offset on.
func (b *batch) search(ctx context.Context, broker string, from int64, sent map[string]bool) result.Result {
	end, broken := b.retryEnd(ctx, broker)
	topic := rocketmq.RetryTopic(b.group.Spec.Group)
	for range maxSearch {
		if !broken.IsDone() || from >= end {
			return broken
		}
		pulled, err := b.admin.Pull(ctx, b.masters[broker], rocketmq.PullRequest{
			Group: b.group.Spec.Group, Queue: rocketmq.Queue{Topic: topic, Broker: broker}, Offset: from, MaxMessages: batchSize,
			Subscription: rocketmq.Subscription{Topic: topic, Expression: "*"},
		})
		if err != nil {
			return topology.Explain(err, "reading the group's retry topic at broker %s", broker)
		}
		for i := range pulled.Messages {
			sent[oneWord(letter{Message: &pulled.Messages[i]}.ID())] = true
		}
		if pulled.Next <= from {
			break
		}
		from = pulled.Next
	}
	return result.Wait(v1alpha1.ReasonReplaying, lookAgain, "the retry topic of broker %s does not show yet all that was stored there", broker)
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

// placeOf is the inverse of place.
func placeOf(text string) (rocketmq.Queue, int64, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return rocketmq.Queue{}, 0, fmt.Errorf("%q names no dead letter", text)
	}
	id, err := strconv.Atoi(parts[1])
	if err != nil {
		return rocketmq.Queue{}, 0, fmt.Errorf("%q names no dead letter: %w", text, err)
	}
	offset, err := strconv.ParseInt(parts[2], 10, 64)
	return rocketmq.Queue{Broker: parts[0], ID: id}, offset, err
}
