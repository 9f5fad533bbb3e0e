// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/budget"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// setStatus writes into the status what was seen.
func setStatus(adapter *v1alpha1.ThirdPartyAdapter, seen facts, results []result.Result, now time.Time) {
	status := &adapter.Status
	view := viewOf(adapter.Name, seen.reports)
	status.ConsumerGroups = nil
	for _, group := range seen.groups {
		status.ConsumerGroups = append(status.ConsumerGroups, group.Name)
	}
	share := budget.Share(&adapter.Spec, budget.Pods(adapter.Name, seen.groups))
	status.Share = &share
	if last := view.lastErrorTime; last != nil && (status.LastErrorTime == nil || status.LastErrorTime.Time.Before(last.Truncate(time.Second))) {
		status.LastError, status.LastErrorTime = shorten(view.lastError), new(metav1.NewTime(*last))
	}
	status.ObservedGeneration = adapter.Generation
	status.LastHandledReconcileAt = demand.Heard(adapter, status.LastHandledReconcileAt)
	conditions := condition.Summary(usage(adapter, share), results...)
	if !stands(adapter, seen, view) {
		status.Circuit = view.circuit()
		conditions = append(conditions, thirdPartyDown(status, view))
	}
	conditions = append(conditions, certificateExpiring(adapter, seen.certificate, now)...)
	conditions = append(conditions, drained(adapter, seen.groups)...)
	condition.Set(&status.Conditions, adapter.Generation, now, conditions...)
}

// mayWait is for how long what is said of an adapter may wait for more: groups that use it come and go together. Longest waits which they are, while it is well.
func mayWait(before, adapter *v1alpha1.ThirdPartyAdapter) time.Duration {
	was, is := before.Status, adapter.Status
	if was.ObservedGeneration != is.ObservedGeneration || was.LastHandledReconcileAt != is.LastHandledReconcileAt || was.Circuit != is.Circuit && was.Circuit != v1alpha1.CircuitUnknown ||
		condition.AnyChanged(was.Conditions, is.Conditions, func(t condition.Transition) bool {
			return t.New.Type != v1alpha1.ConditionThirdPartyDown || t.New.Status == metav1.ConditionTrue || t.Old.Status == metav1.ConditionTrue
		}) {
		return 0
	}
	if was.Circuit == is.Circuit && was.LastError == is.LastError && well(was.Conditions) && well(is.Conditions) {
		return settleUsage
	}
	return settleLong
}

// well reports whether nobody waits for what is said of an adapter.
func well(conditions []metav1.Condition) bool {
	return condition.Is(conditions, v1alpha1.ConditionReady, metav1.ConditionTrue) && !condition.Is(conditions, v1alpha1.ConditionThirdPartyDown, metav1.ConditionTrue) &&
		meta.FindStatusCondition(conditions, v1alpha1.ConditionDrained) == nil
}

// stands reports whether the status says of the third party what an operator before this one has heard of more pods than this one has: that is not unsaid before they were asked, unless
// one that was says that it is down, which is news.
func stands(adapter *v1alpha1.ThirdPartyAdapter, seen facts, v view) bool {
	down := meta.FindStatusCondition(adapter.Status.Conditions, v1alpha1.ConditionThirdPartyDown)
	if !seen.unheard || down == nil || down.ObservedGeneration != adapter.Generation || down.Reason == v1alpha1.ReasonUnused {
		return false
	}
	return down.Status == metav1.ConditionTrue || down.Status == metav1.ConditionFalse && v.open+v.halfOpen == 0
}

// maxError is what the API allows for lastError.
const maxError = 1024

func shorten(text string) string {
	if len(text) > maxError {
		return strings.ToValidUTF8(text[:maxError], "")
	}
	return text
}

// usage is the message of an adapter that can be used.
func usage(adapter *v1alpha1.ThirdPartyAdapter, share v1alpha1.AdapterShare) string {
	if share.Pods == 0 {
		return "no group has pods that use it"
	}
	if suspended(adapter) {
		return fmt.Sprintf("spec.suspend is true: the groups that use it, of at most %d pods, hand out no message, and messages wait in the broker; Drained says what runs yet", share.Pods)
	}
	text := fmt.Sprintf("shared by at most %d pods", share.Pods)
	if share.RequestsPerSecond != "" {
		text += fmt.Sprintf(", each with %s requests per second", share.RequestsPerSecond)
	}
	if share.Concurrency > 0 {
		text += fmt.Sprintf(", each with %d requests in flight", share.Concurrency)
	}
	if budget.Oversubscribed(&adapter.Spec, share.Pods) {
		text += fmt.Sprintf("; that is more than concurrency.max %d, since a pod has at least one: lower the replicas of the groups that use it", adapter.Spec.Concurrency.Max)
	}
	return text
}

// view is a third party as the pods see it.
type view struct {
	// pods that were asked, and how many of them have answered, and see the circuit open or half open.
	pods, answered, open, halfOpen int
	lastError                      string
	lastErrorTime                  *time.Time
	// probing says who looks for its return, where one pod does for all.
	probing string
}

func viewOf(adapter string, reports []workersync.Report) view {
	v := view{pods: len(reports)}
	for _, report := range reports {
		if prober, is := report.Probers[adapter]; is {
			v.probing = "; " + prober.String()
		}
	}
	for _, seen := range of(adapter, reports) {
		v.add(seen)
	}
	return v
}

// of are the adapter's reports of the pods that answered.
func of(adapter string, reports []workersync.Report) []worker.AdapterReport {
	var list []worker.AdapterReport
	for _, report := range reports {
		for _, seen := range report.Answer.Adapters {
			if report.Err == nil && seen.Name == adapter {
				list = append(list, seen)
			}
		}
	}
	return list
}

func (v *view) add(seen worker.AdapterReport) {
	v.answered++
	switch seen.Circuit {
	case worker.CircuitOpen:
		v.open++
	case worker.CircuitHalfOpen:
		v.halfOpen++
	}
	if at := seen.LastErrorTime; at != nil && (v.lastErrorTime == nil || at.After(*v.lastErrorTime)) {
		v.lastError, v.lastErrorTime = seen.LastError, at
	}
}

// circuit is Open if any pod says so, else HalfOpen if any does, else Closed; Unknown if none answered.
func (v view) circuit() v1alpha1.CircuitState {
	switch {
	case v.open > 0:
		return v1alpha1.CircuitOpen
	case v.halfOpen > 0:
		return v1alpha1.CircuitHalfOpen
	case v.answered > 0:
		return v1alpha1.CircuitClosed
	}
	return v1alpha1.CircuitUnknown
}

// thirdPartyDown is True while a circuit is open or being tried: the third party has not been seen well since.
func thirdPartyDown(status *v1alpha1.ThirdPartyAdapterStatus, v view) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionThirdPartyDown, Status: metav1.ConditionFalse}
	switch {
	case len(status.ConsumerGroups) == 0:
		c.Reason, c.Message = v1alpha1.ReasonUnused, "no group refers to the adapter"
	case v.open+v.halfOpen > 0:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen
		c.Message = fmt.Sprintf("%d of %d pods stopped calling the third party, since it fails: messages wait in the broker and no retry is used up%s; last error: %s",
			v.open+v.halfOpen, v.pods, v.probing, status.LastError)
	case v.answered > 0:
		c.Reason, c.Message = v1alpha1.ReasonCircuitClosed, fmt.Sprintf("requests flow, as %d of %d pods report", v.answered, v.pods)
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "no pod of the groups that use the adapter has answered"
	}
	return c
}
