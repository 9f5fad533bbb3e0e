// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// keptJumps are named in the status.
const keptJumps = 16

// countJumps adds to the status what pods report and is not in it; nil while there is nothing to tell. A pod reports all since its start, again and again: what is
// counted of it is kept beside the sum, and written with it.
func countJumps(seen *inputs) *v1alpha1.Jumps {
	next := seen.group.Status.Jumps.DeepCopy()
	if next == nil {
		next = &v1alpha1.Jumps{}
	}
	for _, r := range seen.reports {
		if r.Err == nil && r.Answer.JumpsTotal > 0 {
			countPod(next, r)
		}
	}
	next.Pods = slices.DeleteFunc(next.Pods, func(p v1alpha1.PodJumps) bool { return gone(seen, p.Pod) })
	if len(next.Last) == 0 {
		return nil
	}
	return next
}

func countPod(next *v1alpha1.Jumps, r workersync.Report) {
	started := metav1.NewTime(r.Answer.Started.Truncate(time.Second)) // as the API keeps it
	i := slices.IndexFunc(next.Pods, func(p v1alpha1.PodJumps) bool { return p.Pod == r.Pod })
	if i < 0 {
		i = len(next.Pods)
		next.Pods = append(next.Pods, v1alpha1.PodJumps{Pod: r.Pod})
	}
	counted := &next.Pods[i]
	if !counted.StartTime.Equal(&started) {
		*counted = v1alpha1.PodJumps{Pod: r.Pod, StartTime: started}
	}
	lost := r.Answer.MessagesLost - counted.MessagesLost
	news := min(r.Answer.JumpsTotal-counted.Jumps, int64(len(r.Answer.Jumps)))
	for _, j := range r.Answer.Jumps[int64(len(r.Answer.Jumps))-max(news, 0):] {
		jump := v1alpha1.Jump{
			Queue: j.Queue, Cause: v1alpha1.JumpCause(j.Cause), From: j.From, To: j.To, Pod: r.Pod, Time: metav1.NewTime(j.Time.Truncate(time.Second)),
		}
		if jump.Cause == v1alpha1.JumpDeleted {
			seen := seenBefore(next.Last, &jump)
			if lost -= seen; jump.From >= jump.To {
				continue
			}
		}
		next.Last = slices.Insert(next.Last, 0, jump)
	}
	next.Last = next.Last[:min(len(next.Last), keptJumps)]
	next.MessagesLost += max(lost, 0)
	counted.Jumps, counted.MessagesLost = r.Answer.JumpsTotal, r.Answer.MessagesLost
}

// seenBefore is how many of the messages that a jump passed over are known to be lost, and leaves those at its ends out of it: whoever has a queue next begins below
// what was lost while messages below that are unfinished, and passes over it again. Where a queue was made anew its offsets name other messages.
func seenBefore(known []v1alpha1.Jump, j *v1alpha1.Jump) int64 {
	var lost []v1alpha1.Jump
	for _, k := range known { // newest first
		if k.Queue == j.Queue && k.Cause == v1alpha1.JumpBeyondEnd {
			break
		}
		if k.Queue == j.Queue && k.Cause == v1alpha1.JumpDeleted {
			lost = append(lost, k)
		}
	}
	slices.SortFunc(lost, func(a, b v1alpha1.Jump) int { return cmp.Compare(a.From, b.From) })
	total, at, from, to, news := j.To-j.From, j.From, j.To, j.From, int64(0)
	gap := func(end int64) { // [at, end) was not seen before
		if end = min(end, j.To); end > at {
			from, to = min(from, at), end
			news += end - at
		}
	}
	for _, k := range lost {
		gap(k.From)
		at = max(at, k.To)
	}
	gap(j.To)
	j.From, j.To = from, to
	return total - news
}

// gone reports whether a pod is neither there nor heard of.
func gone(seen *inputs, pod string) bool {
	return !slices.ContainsFunc(seen.pods, func(p corev1.Pod) bool { return p.Name == pod }) &&
		!slices.ContainsFunc(seen.reports, func(r workersync.Report) bool { return r.Pod == pod })
}

// jumpsMoved reports whether pods tell of jumps that the status does not have.
func jumpsMoved(seen *inputs) bool {
	return slices.ContainsFunc(seen.reports, func(r workersync.Report) bool {
		if r.Err != nil || r.Answer.JumpsTotal == 0 {
			return false
		}
		status := seen.group.Status.Jumps
		return status == nil || !slices.ContainsFunc(status.Pods, func(p v1alpha1.PodJumps) bool {
			return p.Pod == r.Pod && p.StartTime.Time.Equal(r.Answer.Started.Truncate(time.Second)) && p.Jumps >= r.Answer.JumpsTotal
		})
	})
}

// nothingLost is done unless messages were deleted unread that nobody has taken note of.
func nothingLost(group *v1alpha1.MQConsumerGroup, jumps *v1alpha1.Jumps) result.Result {
	if jumps == nil || jumps.MessagesLost <= acknowledged(group) {
		return result.Result{}
	}
	where := ""
	if i := slices.IndexFunc(jumps.Last, func(j v1alpha1.Jump) bool { return j.Cause == v1alpha1.JumpDeleted }); i >= 0 {
		where = ", last " + describeJump(jumps.Last[i])
	}
	return result.Stall(v1alpha1.ReasonMessagesLost,
		"%s messages were deleted by their broker before this group had read them%s: its retention (fileReservedTime, disk) is shorter than the group's backlog was old; send again what is missing, then take note of it: kubectl annotate mqcg %s %s=%d --overwrite",
		thousands(jumps.MessagesLost-acknowledged(group)), where, group.Name, v1alpha1.AcknowledgeLossAnnotation, jumps.MessagesLost)
}

func acknowledged(group *v1alpha1.MQConsumerGroup) int64 {
	n, _ := strconv.ParseInt(group.Annotations[v1alpha1.AcknowledgeLossAnnotation], 10, 64) // what is no number acknowledges nothing
	return n
}

func describeJump(j v1alpha1.Jump) string {
	return fmt.Sprintf("in queue %s, offsets %d to %d, seen %s by pod %s", j.Queue, j.From, j.To, j.Time.UTC().Format(time.RFC3339), j.Pod)
}

// recordJumps sends an event for each that is new.
func (r *Reconciler) recordJumps(group, before *v1alpha1.MQConsumerGroup) {
	if group.Status.Jumps == nil {
		return
	}
	var known []v1alpha1.Jump
	if before.Status.Jumps != nil {
		known = before.Status.Jumps.Last
	}
	for _, j := range slices.Backward(group.Status.Jumps.Last) {
		if slices.ContainsFunc(known, func(k v1alpha1.Jump) bool { return equality.Semantic.DeepEqual(k, j) }) {
			continue
		}
		switch j.Cause {
		case v1alpha1.JumpDeleted:
			condition.Event(r.Recorder, group, corev1.EventTypeWarning, v1alpha1.ReasonMessagesLost, fmt.Sprintf("%s messages were deleted before they were read, %s", thousands(j.To-j.From), describeJump(j)))
		case v1alpha1.JumpBeyondEnd:
			condition.Event(r.Recorder, group, corev1.EventTypeWarning, eventBeyondEnd,
				"the group was ahead of the queue's end and goes on there: the queue was made anew, or its broker has lost messages, read or not: "+describeJump(j))
		case v1alpha1.JumpReset:
			condition.Event(r.Recorder, group, corev1.EventTypeNormal, eventReset, "an administrator moved the group's position "+describeJump(j))
		}
	}
}
