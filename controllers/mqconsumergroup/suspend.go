// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

// defaultDrainDeadline is the default of spec.drainDeadline.
const defaultDrainDeadline = 30 * time.Minute

// suspension is why a group is suspended; the zero suspension is none.
type suspension struct {
	// reason is what pods are told, one of package worker's.
	reason string
	// by says who suspends it.
	by string
}

func (s suspension) holds() bool { return s.reason != "" }

// suspensionOf is what the group and the adapters it calls declare.
func suspensionOf(group *v1alpha1.MQConsumerGroup, adapters map[string]*v1alpha1.ThirdPartyAdapter) suspension {
	if isTrue(group.Spec.Suspend) {
		return suspension{worker.ReasonSuspended, "spec.suspend is true"}
	}
	var names []string
	for _, name := range group.Spec.Handler.Adapters() {
		if adapter := adapters[name]; adapter != nil && isTrue(adapter.Spec.Suspend) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return suspension{}
	}
	return suspension{worker.ReasonAdapterSuspended, "spec.suspend is true of ThirdPartyAdapter " + strings.Join(names, ", ")}
}

// suspensionTold is what the status says: for who has not read the adapters.
func suspensionTold(group *v1alpha1.MQConsumerGroup) suspension {
	if group.Status.Suspension == nil {
		return suspension{}
	}
	parked := meta.FindStatusCondition(group.Status.Conditions, v1alpha1.ConditionParked)
	if parked == nil {
		return suspension{}
	}
	return suspension{parked.Reason, ""}
}

func isTrue(b *bool) bool { return b != nil && *b }

// setSuspension notes since when the group is suspended, and since when no pod has anything in flight.
func setSuspension(status *v1alpha1.MQConsumerGroupStatus, seen *inputs, now time.Time) {
	if !seen.suspended.holds() {
		status.Suspension = nil
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionDrained)
		return
	}
	second := metav1.NewTime(now.Truncate(time.Second)) // as the API keeps it
	if status.Suspension == nil {
		status.Suspension = &v1alpha1.SuspensionStatus{StartTime: second}
	}
	s := status.Suspension
	switch settled := settle(seen, s.StartTime.Time).IsDone(); {
	case !settled:
		s.SettledTime, s.RetriesUntil = nil, nil
	case s.SettledTime == nil:
		s.SettledTime = &second
	case seen.delayed != nil:
		s.RetriesUntil = seen.delayed.until(s.SettledTime.Time)
	}
}

// settle says what keeps the pods of a group, suspended since then, from having nothing in flight and nothing to commit: what is known to be in flight first, then who did not say.
func settle(seen *inputs, since time.Time) result.Result {
	if settledBefore(seen) {
		return result.Result{}
	}
	var busy, deaf, silent, undone []string
	var messages, repeated int
	heard := map[string]bool{}
	for _, r := range seen.reports {
		heard[r.Pod] = true
		switch s := r.Answer.Suspension; {
		case r.Err != nil:
			silent = append(silent, fmt.Sprintf("pod %s does not answer: %v", r.Pod, r.Err))
		case s == nil || r.Time.Before(since):
			deaf = append(deaf, r.Pod)
		case s.Draining:
			messages += r.Answer.InFlight
			busy = append(busy, r.Pod)
		case s.Uncommitted > 0:
			repeated += s.Uncommitted
			undone = append(undone, r.Pod)
		}
	}
	silent = append(silent, unasked(seen, heard)...)
	if missing := int(running(seen)) - len(seen.reports); missing > 0 && len(silent) == 0 {
		silent = append(silent, fmt.Sprintf("%d pods were not asked yet", missing))
	}
	switch {
	case len(deaf) > 0:
		return result.Wait(v1alpha1.ReasonInFlight, lookAgain, "pods have not taken the suspension over yet, which takes seconds: %s; one whose image (spec.workload.image) is older than the operator never does: upgrade it, or set replicas to 0", list(deaf))
	case len(busy) > 0:
		return result.Wait(v1alpha1.ReasonInFlight, lookAgain, "%d messages are being handled yet in pods %s: each ends when its requests have ended; a pod that hangs may be deleted, and what it has in flight comes again with the same idempotency keys", messages, list(busy))
	case len(silent) > 0:
		return result.Result{State: result.Unknown, Reason: v1alpha1.ReasonPodsNotAnswering, Message: list(silent) + ": what is in flight there is not known; see ConfigCurrent", After: lookAgain}
	case len(undone) > 0:
		return result.Wait(v1alpha1.ReasonOffsetsNotCommitted, lookAgain, "%d messages that are done would be handled again, with the same idempotency keys, if their pods ended: their broker does not take the offset, or another message before them waits for its third party or its next attempt, which the end of the suspension lets begin; pods: %s", repeated, list(undone))
	}
	return result.Result{}
}

// unasked are the pods that something may run in, and that no report is of.
func unasked(seen *inputs, heard map[string]bool) (silent []string) {
	for i := range seen.pods {
		if pod := &seen.pods[i]; !heard[pod.Name] && pod.Status.Phase != corev1.PodPending { // in which nothing runs yet
			silent = append(silent, fmt.Sprintf("pod %s was not asked yet", pod.Name))
		}
	}
	return silent
}

// running is the number of pods Kubernetes counts, of which those listed may be fewer for a moment.
func running(seen *inputs) int32 {
	if seen.deployment == nil {
		return 0
	}
	return seen.deployment.Status.ReadyReplicas
}

// drained is the condition of a suspended group, as its status has it; nil of any other.
func drained(group *v1alpha1.MQConsumerGroup, seen *inputs, now time.Time) []metav1.Condition {
	s := group.Status.Suspension
	if s == nil {
		return nil
	}
	wait := settle(seen, s.StartTime.Time)
	if wait.IsDone() {
		wait = quiet(seen, s, now)
	}
	if before := standing(seen, v1alpha1.ConditionDrained); before != nil && wait.IsDone() { // no pod was asked whether it is
		return []metav1.Condition{*before}
	}
	if deadline := s.StartTime.Add(drainDeadline(group)); !wait.IsDone() && !now.Before(deadline) {
		wait.Reason = v1alpha1.ReasonDrainDeadlineExceeded
		wait.Message = fmt.Sprintf("not drained %v after it was suspended at %s (spec.drainDeadline): %s", drainDeadline(group), s.StartTime.UTC().Format(time.RFC3339), wait.Message)
	}
	c := condition.Of(v1alpha1.ConditionDrained, wait, fmt.Sprintf("nothing is in flight in %d pods, what is done is committed, and no message waits for its next attempt in a delay level", len(seen.reports)))
	c.Reason = cmp.Or(wait.Reason, v1alpha1.ReasonDrained)
	return []metav1.Condition{c}
}

// quiet says what is still to come although no pod has anything in flight.
func quiet(seen *inputs, s *v1alpha1.SuspensionStatus, now time.Time) result.Result {
	switch strangers := foreign(seen); {
	case !seen.reached.IsDone():
		return result.Result{State: result.Unknown, Reason: v1alpha1.ReasonNotRead, Message: "no pod has anything in flight; whether messages wait in a delay level is not known: " + seen.reached.Message, After: lookAgain}
	case len(strangers) > 0:
		return result.Wait(v1alpha1.ReasonForeignConsumersOnline, lookAgain, "members that OrderFlow did not start go on, and only who runs them can stop them: %s", list(strangers))
	case broadcasts(seen.group), wasDrained(seen.group): // nothing is sent back
		return result.Result{}
	case seen.delayed == nil:
		return result.Result{State: result.Unknown, Reason: v1alpha1.ReasonNotRead, Message: "no pod has anything in flight; the brokers are asked next whether messages wait in a delay level", After: time.Millisecond}
	case seen.delayed.unknown != "":
		return result.Result{State: result.Unknown, Reason: v1alpha1.ReasonRetriesPending, After: lookAgain,
			Message: "no pod has anything in flight; whether messages wait in a delay level is not known: " + seen.delayed.unknown}
	}
	until := s.RetriesUntil
	if until == nil {
		return result.Result{}
	}
	what := "until " + until.UTC().Format(time.RFC3339)
	if seen.delayed.bounded {
		what = "at the latest " + what + ": too many messages wait at the broker to look at each"
	}
	if until.Before(&metav1.Time{Time: now}) {
		what += ", which has passed: the broker is late"
	}
	return result.Wait(v1alpha1.ReasonRetriesPending, min(max(until.Sub(now), lookAgain), interval), "no pod has anything in flight; messages wait in a delay level of broker %s for their next attempt %s; then they wait with the others", seen.delayed.broker, what)
}

// wasDrained reports whether the status says that all was drained, and speaks of this suspension: nothing can have been sent back since.
func wasDrained(group *v1alpha1.MQConsumerGroup) bool {
	s := group.Status.Suspension
	return s != nil && s.SettledTime != nil && condition.Is(group.Status.Conditions, v1alpha1.ConditionDrained, metav1.ConditionTrue)
}

func drainDeadline(group *v1alpha1.MQConsumerGroup) time.Duration {
	return cmp.Or(group.Spec.DrainDeadline.Duration, defaultDrainDeadline)
}

// drainMoved reports whether pods have come further, or back, than the status of a suspended group says. It does not see numbers: each would be a change.
func drainMoved(seen *inputs, now time.Time) bool {
	s := seen.group.Status.Suspension
	if s == nil {
		return false
	}
	was := meta.FindStatusCondition(seen.group.Status.Conditions, v1alpha1.ConditionDrained)
	late := was != nil && was.Reason == v1alpha1.ReasonDrainDeadlineExceeded
	return settle(seen, s.StartTime.Time).IsDone() != (s.SettledTime != nil) ||
		was != nil && was.Status != metav1.ConditionTrue && !late && !now.Before(s.StartTime.Add(drainDeadline(seen.group)))
}

// drainPace is how soon a suspended group is to be looked at again. It says nothing of the group: who is suspended is Ready.
func drainPace(group *v1alpha1.MQConsumerGroup, seen *inputs, now time.Time) result.Result {
	s := group.Status.Suspension
	switch {
	case s != nil && seen.unheard:
		return result.Result{After: lookAgain}
	case s == nil || !settle(seen, s.StartTime.Time).IsDone():
		return result.Result{} // the pulse sees to it
	}
	return result.Result{After: quiet(seen, s, now).After}
}
