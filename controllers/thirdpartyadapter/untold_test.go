// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

func TestWhatMayWaitToBeTold(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	adapter := func(r result.Result, circuit v1alpha1.CircuitState, changes ...func(*v1alpha1.ThirdPartyAdapterStatus)) *v1alpha1.ThirdPartyAdapter {
		a := &v1alpha1.ThirdPartyAdapter{Status: v1alpha1.ThirdPartyAdapterStatus{ObservedGeneration: 1, Circuit: circuit}}
		down := metav1.Condition{Type: v1alpha1.ConditionThirdPartyDown, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonCircuitClosed}
		switch circuit {
		case v1alpha1.CircuitOpen:
			down.Status, down.Reason = metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen
		case v1alpha1.CircuitUnknown:
			down.Status, down.Reason = metav1.ConditionUnknown, v1alpha1.ReasonNotRead
		}
		condition.Set(&a.Status.Conditions, 1, noon, append(condition.Summary("fine", r), down)...)
		for _, change := range changes {
			change(&a.Status)
		}
		return a
	}
	var (
		ready  = result.Result{}
		stalls = result.Stall(v1alpha1.ReasonSecretKeyMissing, "no such key")
		other  = result.Stall(v1alpha1.ReasonSecretKeyMissing, "no such key either")
		drains = func(group string) func(*v1alpha1.ThirdPartyAdapterStatus) {
			return func(s *v1alpha1.ThirdPartyAdapterStatus) {
				condition.Set(&s.Conditions, 1, noon, metav1.Condition{Type: v1alpha1.ConditionDrained, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonGroupNotDrained, Message: group})
			}
		}
		more = func(s *v1alpha1.ThirdPartyAdapterStatus) { s.ConsumerGroups = append(s.ConsumerGroups, "push") }
	)
	for sentence, test := range map[string]struct {
		before, after *v1alpha1.ThirdPartyAdapter
		want          time.Duration
	}{
		"another group uses it":               {adapter(ready, v1alpha1.CircuitClosed), adapter(ready, v1alpha1.CircuitClosed, more), settleUsage},
		"it waits for another Secret":         {adapter(stalls, v1alpha1.CircuitClosed), adapter(other, v1alpha1.CircuitClosed), settleLong},
		"another group is not drained yet":    {adapter(ready, v1alpha1.CircuitClosed, drains("push")), adapter(ready, v1alpha1.CircuitClosed, drains("points")), settleLong},
		"one more of its pods finds it down":  {adapter(ready, v1alpha1.CircuitOpen), adapter(ready, v1alpha1.CircuitOpen, func(s *v1alpha1.ThirdPartyAdapterStatus) { s.Share = &v1alpha1.AdapterShare{Pods: 2} }), settleLong},
		"its last error is another":           {adapter(ready, v1alpha1.CircuitClosed), adapter(ready, v1alpha1.CircuitClosed, func(s *v1alpha1.ThirdPartyAdapterStatus) { s.LastError = "503" }), settleLong},
		"one more of its pods tells the same": {adapter(ready, v1alpha1.CircuitClosed), adapter(ready, v1alpha1.CircuitClosed, func(s *v1alpha1.ThirdPartyAdapterStatus) { s.Share = &v1alpha1.AdapterShare{Pods: 2} }), settleUsage},
		"its pods are heard, and all is well": {adapter(ready, v1alpha1.CircuitUnknown), adapter(ready, v1alpha1.CircuitClosed), settleLong},
		"its pods find it down":               {adapter(ready, v1alpha1.CircuitUnknown), adapter(ready, v1alpha1.CircuitOpen), 0},
		"it goes down":                        {adapter(ready, v1alpha1.CircuitClosed), adapter(ready, v1alpha1.CircuitOpen, more), 0},
		"it is back":                          {adapter(ready, v1alpha1.CircuitOpen), adapter(ready, v1alpha1.CircuitClosed), 0},
		"nobody can ask its pods any more":    {adapter(ready, v1alpha1.CircuitClosed), adapter(ready, v1alpha1.CircuitUnknown), 0},
		"its Secret cannot be used":           {adapter(ready, v1alpha1.CircuitClosed), adapter(stalls, v1alpha1.CircuitClosed), 0},
		"its Secret can be used again":        {adapter(stalls, v1alpha1.CircuitClosed), adapter(ready, v1alpha1.CircuitClosed), 0},
		"somebody edited it":                  {adapter(ready, v1alpha1.CircuitClosed), adapter(ready, v1alpha1.CircuitClosed, func(s *v1alpha1.ThirdPartyAdapterStatus) { s.ObservedGeneration = 2 }), 0},
		"somebody demanded a look":            {adapter(ready, v1alpha1.CircuitClosed), adapter(ready, v1alpha1.CircuitClosed, func(s *v1alpha1.ThirdPartyAdapterStatus) { s.LastHandledReconcileAt = "now" }), 0},
		"nobody has looked at it before":      {&v1alpha1.ThirdPartyAdapter{}, adapter(ready, v1alpha1.CircuitUnknown), 0},
	} {
		if got := mayWait(test.before, test.after); got != test.want {
			t.Errorf("%s: it may wait for %v, want %v", sentence, got, test.want)
		}
	}
}
