// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

// setStatus writes down how far the replay is.
func setStatus(seen *inputs, step result.Result, now time.Time) {
	replay, status := seen.replay, &seen.replay.Status
	status.ObservedGeneration = replay.Generation
	if status.StartTime == nil || seen.record == nil {
		condition.Set(&status.Conditions, replay.Generation, now, condition.Summary("", step)...)
		return
	}
	counts := seen.record.counts()
	matched, resent := int64(len(seen.record.entries)), counts[outcomeResent]
	pending := counts[outcomeResending]
	delete(counts, outcomeResent)
	delete(counts, outcomeResending)
	skipped := matched - resent - pending
	status.Matched, status.Resent, status.Skipped = &matched, &resent, &skipped
	status.SkippedReasons = nil
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		status.SkippedReasons = append(status.SkippedReasons, v1alpha1.ReplayOutcome{Reason: reason, Count: counts[reason]})
	}
	message := fmt.Sprintf("%d dead letters matched: %d were given back, %d skipped", matched, resent, skipped)
	for _, s := range status.SkippedReasons {
		message += fmt.Sprintf(", %d of them %s", s.Count, s.Reason)
	}
	message += "; each one's outcome is in the ConfigMaps with the label " + labelReplay + "=" + replay.Name
	if step.IsDone() {
		status.CompletionTime = new(metav1.NewTime(now))
		if left := unread(status); left > 0 {
			message += fmt.Sprintf("; it ended at spec.limit, and %d dead letters were not looked at: create another for those", left)
		}
		if gone := gone(status); gone > 0 {
			message += fmt.Sprintf("; %d dead letters were deleted at the broker, by its retention or with their topic, before they were looked at", gone)
		}
	}
	condition.Set(&status.Conditions, replay.Generation, now, condition.Summary(message, step)...)
}

func gone(status *v1alpha1.DeadLetterReplayStatus) (n int64) {
	for _, q := range status.Queues {
		n += q.Gone
	}
	return n
}

// unread is how many dead letters there are to be looked at.
func unread(status *v1alpha1.DeadLetterReplayStatus) (n int64) {
	for _, q := range status.Queues {
		n += *q.End - *q.Next
	}
	return n
}

// sortQueues puts them in the order in which they are read.
func sortQueues(queues []v1alpha1.ReplayQueue) {
	slices.SortFunc(queues, func(a, b v1alpha1.ReplayQueue) int {
		return cmp.Or(cmp.Compare(a.Broker, b.Broker), cmp.Compare(*a.Queue, *b.Queue))
	})
}
