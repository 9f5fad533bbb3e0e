// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// past is what an earlier replay of the group gave back.
type past struct {
	// ends of the queues of dead letters when it began, by their name, which place makes of a queue.
	ends map[string]int64
	// given are the ids of messages.
	given map[string]bool
}

// gaveBack reports whether the letter's message was given back, by a replay that began when the letter was there. A later one tells of a later death.
func (p past) gaveBack(l letter, id string) bool {
	return p.given[id] && l.Offset < p.ends[place(rocketmq.Queue{Broker: l.Queue.Broker, ID: l.Queue.ID}, 0)]
}

// gatherOthers reads the other replays of the group: which of them goes first, and which gave something back.
func (r *Reconciler) gatherOthers(ctx context.Context, seen *inputs) error {
	replay := seen.replay
	var list v1alpha1.DeadLetterReplayList
	if err := r.Live.List(ctx, &list, client.InNamespace(replay.Namespace)); err != nil {
		return fmt.Errorf("read the group's other replays: %w", err)
	}
	for i := range list.Items {
		other := &list.Items[i]
		if other.UID == replay.UID || other.Spec.GroupRef != replay.Spec.GroupRef || other.Spec.Mode == v1alpha1.ReplayModeDryRun {
			continue
		}
		if replay.Spec.Mode != v1alpha1.ReplayModeDryRun && goesBefore(other, replay) {
			seen.ahead = other.Name
		}
		if replay.Spec.AlreadyReplayed != v1alpha1.ReplayedRepeat && other.Status.Resent != nil {
			seen.others = append(seen.others, other)
		}
	}
	return nil
}

// gatherEarlier reads what they gave back.
func (r *Reconciler) gatherEarlier(ctx context.Context, seen *inputs) (result.Result, error) {
	for _, other := range seen.others {
		done, lost, err := r.readRecord(ctx, other)
		switch {
		case err != nil:
			return result.Result{}, err
		case lost != nil:
			return recordLost(fmt.Errorf("of the earlier DeadLetterReplay %s: %w", other.Name, lost)), nil
		}
		seen.earlier = append(seen.earlier, pastOf(other, done))
	}
	return result.Result{}, nil
}

// goesBefore reports whether a replay that is not done is older. One that can never begin holds nobody up.
func goesBefore(other, replay *v1alpha1.DeadLetterReplay) bool {
	if other.Status.CompletionTime != nil || !other.DeletionTimestamp.IsZero() {
		return false
	}
	if _, invalid := newSelection(&other.Spec); invalid != nil {
		return false
	}
	return other.CreationTimestamp.Before(&replay.CreationTimestamp) || other.CreationTimestamp.Equal(&replay.CreationTimestamp) && other.Name < replay.Name
}

func pastOf(replay *v1alpha1.DeadLetterReplay, done *record) past {
	p := past{ends: map[string]int64{}, given: map[string]bool{}}
	for _, q := range replay.Status.Queues {
		p.ends[place(rocketmq.Queue{Broker: q.Broker, ID: int(*q.Queue)}, 0)] = *q.End
	}
	for _, e := range done.entries {
		if e.outcome == outcomeResent || e.outcome == outcomeResending {
			p.given[e.id] = true
		}
	}
	return p
}
