// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// sendTime is how long after it was noted a batch may be sent: what was not begun by then is not sent before it has been looked for.
const sendTime = 15 * time.Second

// findings are what a look at dead letters came to.
type findings struct {
	// places in the record that changed, or are new.
	places []int
	// letters to be given back, by their places.
	letters map[int]letter
	// queue is as it is in after once the record is written. Nil: none was read.
	queue *v1alpha1.ReplayQueue
	after v1alpha1.ReplayQueue
	// then is what follows where nothing is to be given back.
	then result.Result
}

// give writes down what was found and what is about to be sent, sends it, and writes down what became of it. An error is one of the Kubernetes API.
func (b *batch) give(ctx context.Context, found findings) (result.Result, error) {
	// The time for sending begins before the time that is noted: who finds the note knows until when a message may have gone out.
	sending, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	places := slices.Sorted(maps.Keys(found.letters))
	for _, at := range places {
		b.record.entries[at].noted = b.Now().UnixMilli()
	}
	if err := b.writeRecord(ctx, b.replay, b.record, found.places); err != nil {
		return result.Result{}, err
	}
	var refused result.Result
	for _, at := range places {
		e := &b.record.entries[at]
		outcome, err := b.send(sending, found.letters[at])
		if e.outcome = outcome; outcome != outcomeResending {
			e.unseen = nil
		}
		if err != nil && refused.IsDone() {
			refused = topology.Explain(err, "giving dead letters back at broker %s", found.letters[at].Queue.Broker)
		}
	}
	if err := b.writeRecord(ctx, b.replay, b.record, places); err != nil {
		return result.Result{}, err
	}
	if found.queue != nil {
		*found.queue = found.after
	}
	switch {
	case len(places) == 0:
		return found.then, nil
	case !refused.IsDone():
		refused.Err, refused.After = nil, interval // settle sees nothing sooner
		return refused, nil
	case len(b.pending()) > 0:
		return result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain, "a broker did not say whether it has what was given back: that is looked up, and sent again if it has not"), nil
	}
	return b.pace(len(places)), nil
}

// pace is how long so many messages take.
func (b *batch) pace(sent int) result.Result {
	return going(time.Duration(sent) * time.Second / time.Duration(b.replay.Spec.Rate))
}

// The broker is asked to give the message back after the first of its delay levels, which it does at once for nobody. Its own limit of attempts is not what ends it.
const (
	givenBackLevel = 1
	moreAttempts   = 100
)

// send gives one message back and returns its outcome: as it was, if whether the broker has it is not known. An error is the broker's refusal.
func (b *batch) send(ctx context.Context, l letter) (outcome string, refusal error) {
	err := b.admin.SendBack(ctx, b.masters[l.Queue.Broker], rocketmq.SendBackRequest{
		Group: b.group.Spec.Group, Message: l.Message, DelayLevel: givenBackLevel, MaxReconsume: l.Reconsumed + moreAttempts,
	})
	var answer *rocketmq.Error
	switch {
	case err == nil:
		return outcomeResent, nil
	case !errors.As(err, &answer):
		return outcomeResending, nil
	case answer.Stored():
		return outcomeResent, nil
	case answer.Code == rocketmq.CodeMessageIllegal:
		return skippedTooLarge, nil
	}
	return outcomeResending, err
}
