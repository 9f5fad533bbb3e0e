// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	klabels "k8s.io/apimachinery/pkg/labels"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

// setStatus writes down where the group stands, whatever step was reached.
func setStatus(group *v1alpha1.MQConsumerGroup, seen *inputs, done steps, now time.Time) {
	status := &group.Status
	status.ObservedGeneration = group.Generation
	if status.ClusterIdentity != done.claimed {
		status.ClusterIdentity, status.SeededTime = done.claimed, nil
	}
	if done.seeded != nil {
		status.SeededTime = new(metav1.NewTime(*done.seeded))
	}
	status.LastHandledReconcileAt = demand.Heard(group, status.LastHandledReconcileAt)
	setSuspension(status, seen, now)
	status.Selector = klabels.SelectorFromSet(selector(group)).String()
	status.Replicas, status.ReadyReplicas = 0, 0
	if d := seen.deployment; d != nil {
		status.Replicas, status.ReadyReplicas = d.Status.Replicas, d.Status.ReadyReplicas
	}
	setLag(status, seen, now)
	status.StuckQueues = seen.stuck
	status.SkippedMessageIDs = skipped(seen)
	status.RetryPlan = retryPlan(seen)
	status.Jumps = seen.jumps
	status.Adapters = adapterUses(seen)
	status.Circuit = worst(status.Adapters)
	if done.limits != nil {
		seen.reconfigured = status.LiveRevision != done.limits.Revision
		status.LiveRevision = done.limits.Revision
	}
	if made := done.made; made != nil {
		seen.reconfigured = seen.reconfigured || status.StructureName != made.structureName
		status.StructureName = made.structureName
		if next := scalingStatus(made); !scalingStands(seen, next) {
			status.Scaling = next
		}
	}
	condition.Set(&status.Conditions, group.Generation, now, conditions(group, seen, done, now)...)
}

// stampVerified writes down when the group was read back, with whatever else has changed: the time alone is not worth a write.
func stampVerified(status, before *v1alpha1.MQConsumerGroupStatus, done steps) {
	if done.verified != nil && (status.LastVerifiedTime == nil || !equality.Semantic.DeepEqual(status, before)) {
		status.LastVerifiedTime = new(metav1.NewTime(*done.verified))
	}
}

// setLag leaves out what is not known at this moment, but for dead letters that were not counted yet: their turn comes.
func setLag(status *v1alpha1.MQConsumerGroupStatus, seen *inputs, now time.Time) {
	if seen.unread {
		return
	}
	status.Lag, status.RetryLag, status.OldestMessageTime = nil, nil, oldestMessage(seen, now)
	if !seen.signals.Fresh(now) {
		status.DeadLetters = nil
		return
	}
	status.Lag, status.RetryLag = new(seen.signals.Lag), new(seen.signals.Retry)
	if seen.signals.DeadLetters >= 0 {
		status.DeadLetters = new(seen.signals.DeadLetters)
	}
}

// skipped are the messages to be skipped that some pod met: one of those there are, or one that told so before.
func skipped(seen *inputs) (ids []string) {
	met := map[string]bool{}
	for _, id := range seen.group.Status.SkippedMessageIDs {
		met[id] = true
	}
	for _, r := range seen.reports {
		for _, id := range r.Answer.SkippedMessageIDs {
			met[id] = true
		}
	}
	for _, id := range seen.group.Spec.SkipMessageIDs {
		if met[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

func scalingStatus(made *workload) *v1alpha1.ScalingStatus {
	next := &v1alpha1.ScalingStatus{DesiredReplicas: wantedReplicas(made.deployment), Bound: v1alpha1.BoundFixed, Message: "spec.replicas sets the number of pods"}
	if d := made.decision; d != nil {
		next.DesiredReplicas, next.Bound, next.Message = d.Replicas, d.Bound, d.Message
	}
	if last := lastStep(made.deployment); !last.IsZero() {
		next.LastScaleTime = new(metav1.NewTime(last))
	}
	return next
}

func conditions(group *v1alpha1.MQConsumerGroup, seen *inputs, done steps, now time.Time) []metav1.Condition {
	pods := wantedReplicas(seen.deployment)
	if done.made != nil {
		pods = wantedReplicas(done.made.deployment)
	}
	ready := fmt.Sprintf("messages of topic %s are handled by %d pods", group.Spec.Topic, pods)
	switch {
	case done.made != nil && pods == 0:
		ready = fmt.Sprintf("no pod is wanted; messages of topic %s wait in the broker", group.Spec.Topic)
	case broadcasts(group):
		ready = fmt.Sprintf("every message of topic %s is handled by each of %d pods, from when it began; positions are the pods' own, so that there is no lag", group.Spec.Topic, pods)
	case group.Spec.Dispatch == v1alpha1.DispatchShadow:
		ready = fmt.Sprintf("messages of topic %s are mapped and logged by %d pods, and nothing is sent: dispatch is Shadow", group.Spec.Topic, pods)
	}
	parked := parked(seen, now)
	if parked.Status == metav1.ConditionTrue {
		ready += "; but " + parked.Message
	}
	summary := condition.Summary(ready, done.results()...)
	if len(group.Status.Conditions) == 0 && done.claimed != "" {
		return summary // the first look has made a claim; the rest is found out next
	}
	all := append(summary,
		brokerReady(done), workloadReady(seen, done), configCurrent(seen),
		foreignConsumers(seen), parked, thirdPartyDown(group, seen, now), upstreamOrder(seen, now),
		queueStuck(seen, now), retentionAtRisk(seen, now), follows(group),
	)
	return append(all, drained(group, seen, now)...)
}

// brokerReady: as long as the group was not ours to look at, what the brokers hold is not known.
func brokerReady(done steps) metav1.Condition {
	switch {
	case !done.farewell.IsDone():
		return condition.Of(v1alpha1.ConditionBrokerReady, done.farewell, "")
	case !done.claim.IsDone():
		return metav1.Condition{Type: v1alpha1.ConditionBrokerReady, Status: metav1.ConditionUnknown, Reason: done.claim.Reason, Message: done.claim.Message}
	}
	return condition.Of(v1alpha1.ConditionBrokerReady, done.broker, "the group is on every master broker, and every queue has an offset")
}

// workloadReady speaks of the pods there are, even where a step before kept them from being changed.
func workloadReady(seen *inputs, done steps) metav1.Condition {
	r, d := done.workload, seen.deployment
	switch {
	case done.made != nil:
		d = done.made.deployment
	case r.IsDone() && d == nil:
		r = result.Wait(v1alpha1.ReasonProgressing, 0, "there are no pods yet: %s", result.Worst(done.results()...).Message)
	case r.IsDone():
		r = podsReady(d, seen.pods)
	}
	c := condition.Of(v1alpha1.ConditionWorkloadReady, r, fmt.Sprintf("%d pods are ready", wantedReplicas(d)))
	if r.IsDone() && wantedReplicas(d) == 0 {
		c.Reason, c.Message = v1alpha1.ReasonScaledToZero, "no pod is wanted"
	}
	return c
}

func configCurrent(seen *inputs) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionConfigCurrent, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPodsNotAnswering}
	structure, revision := seen.group.Status.StructureName, seen.group.Status.LiveRevision
	if before := standing(seen, c.Type); before != nil && !seen.reconfigured {
		return *before
	}
	heard := map[string]bool{}
	for _, r := range seen.reports {
		switch {
		case r.Err != nil:
			c.Message = fmt.Sprintf("pod %s does not answer: %v: check that no NetworkPolicy but ours keeps the operator from port %d, and what the pod logs", r.Pod, r.Err, worker.SyncPort)
			return c
		case r.Answer.LiveProblem != "" && r.Answer.LiveRevision == revision:
			c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated
			c.Message = fmt.Sprintf("pod %s runs with the limits wanted, %s, and reports: %s", r.Pod, revision, r.Answer.LiveProblem)
			return c
		case r.Answer.LiveProblem != "":
			c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated
			c.Message = fmt.Sprintf("pod %s keeps the limits %s, as it cannot take over those wanted, %s: %s", r.Pod, r.Answer.LiveRevision, revision, r.Answer.LiveProblem)
			return c
		case credentialProblem(r.Answer) != "":
			c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated
			c.Message = fmt.Sprintf("pod %s %s", r.Pod, credentialProblem(r.Answer))
			return c
		case r.Answer.LiveRevision != revision || r.Answer.Structure != structure:
			c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated
			c.Message = fmt.Sprintf("pod %s runs with %s and limits %s, wanted are %s and %s", r.Pod, r.Answer.Structure, r.Answer.LiveRevision, structure, revision)
			return c
		}
		heard[r.Pod] = true
	}
	for i := range seen.pods {
		if !heard[seen.pods[i].Name] {
			c.Message = fmt.Sprintf("pod %s was not asked yet: it has no address, or runs for some seconds only; WorkloadReady says more", seen.pods[i].Name)
			return c
		}
	}
	c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonReady, "every pod has the current configuration"
	return c
}

// credentialProblem says that a pod cannot use what a Secret holds now, "" if it can.
func credentialProblem(answer worker.SyncResponse) string {
	for _, a := range answer.Adapters {
		if a.CredentialProblem != "" {
			return fmt.Sprintf("calls adapter %s with the credentials it had before, as it cannot use those there are now: %s: correct the Secrets that spec.auth and spec.tls of the ThirdPartyAdapter name; pods see it about a minute later", a.Name, a.CredentialProblem)
		}
	}
	return ""
}

func foreignConsumers(seen *inputs) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionForeignConsumers, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotRead, Message: seen.reached.Message}
	if !seen.reached.IsDone() {
		return c
	}
	if ids := foreign(seen); len(ids) > 0 {
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonForeignConsumersOnline
		c.Message = fmt.Sprintf("%d members of the group are no pods of this object and take messages away from them; stop them, or give this object a group of its own: %s", len(ids), list(ids))
		switch {
		case broadcasts(seen.group):
			c.Message = fmt.Sprintf("%d members of the group are no pods of this object; they take no message away from its pods, which get all, but handle every message as well; stop them, or give this object a group of its own: %s", len(ids), list(ids))
		case migrating(seen):
			c.Message = fmt.Sprintf("%d members of the group are no pods of this object, which shares the queues with them; stop them one after the other: until the last has left, messages of a queue that moves may be handled twice: %s", len(ids), list(ids))
		}
		return c
	}
	c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonNoForeignConsumers, "all members online are pods of this object"
	return c
}

// follows is the condition Scaling: whether the number of pods follows from the lag.
func follows(group *v1alpha1.MQConsumerGroup) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionScaling, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotRead, Message: "no decision was made yet"}
	s := group.Status.Scaling
	if s == nil {
		return c
	}
	c.Status, c.Reason, c.Message = metav1.ConditionFalse, string(s.Bound), s.Message
	switch s.Bound {
	case v1alpha1.BoundNone:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonReady
	case v1alpha1.BoundMinimum, v1alpha1.BoundMaximum, v1alpha1.BoundQueues:
		c.Status = metav1.ConditionTrue
	}
	return c
}

// worst is the circuit that tells most: one that is open, else one that probes, else one nobody knows.
func worst(uses []v1alpha1.AdapterUse) v1alpha1.CircuitState {
	for _, state := range []v1alpha1.CircuitState{v1alpha1.CircuitOpen, v1alpha1.CircuitHalfOpen, v1alpha1.CircuitUnknown} {
		if slices.ContainsFunc(uses, func(u v1alpha1.AdapterUse) bool { return u.Circuit == state }) {
			return state
		}
	}
	return v1alpha1.CircuitClosed
}
