// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// drains is a group that says so of being drained; without a status it says nothing.
func drains(name string, status metav1.ConditionStatus, reason, message string) v1alpha1.MQConsumerGroup {
	g := v1alpha1.MQConsumerGroup{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if status != "" {
		g.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionDrained, Status: status, Reason: reason, Message: message}}
	}
	return g
}

func TestASuspendedAdapterIsDrainedWhenAllItsGroupsAre(t *testing.T) {
	done := drains("credit", metav1.ConditionTrue, v1alpha1.ReasonDrained, "")
	for sentence, c := range map[string]struct {
		groups []v1alpha1.MQConsumerGroup
		status metav1.ConditionStatus
		reason string
		says   string
	}{
		"all are":         {[]v1alpha1.MQConsumerGroup{done, done}, metav1.ConditionTrue, v1alpha1.ReasonDrained, "all 2 groups"},
		"nobody is there": {nil, metav1.ConditionTrue, v1alpha1.ReasonDrained, "all 0 groups"},
		"one is not": {[]v1alpha1.MQConsumerGroup{done, drains("push", metav1.ConditionFalse, v1alpha1.ReasonRetriesPending, "until noon")},
			metav1.ConditionFalse, v1alpha1.ReasonGroupNotDrained, "group push: RetriesPending: until noon"},
		"one has not heard of it": {[]v1alpha1.MQConsumerGroup{done, drains("push", "", "", "")},
			metav1.ConditionFalse, v1alpha1.ReasonGroupNotDrained, "group push: has not taken the suspension over yet"},
		"of one it is not known": {[]v1alpha1.MQConsumerGroup{drains("push", metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "pod a")},
			metav1.ConditionUnknown, v1alpha1.ReasonGroupNotDrained, "group push: PodsNotAnswering: pod a"},
		"one is not, and of another it is not known": {[]v1alpha1.MQConsumerGroup{drains("a", metav1.ConditionFalse, v1alpha1.ReasonInFlight, "3"), drains("b", metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "")},
			metav1.ConditionFalse, v1alpha1.ReasonGroupNotDrained, "group a: InFlight: 3; group b: PodsNotAnswering"},
		"one is not in time": {[]v1alpha1.MQConsumerGroup{drains("a", metav1.ConditionFalse, v1alpha1.ReasonDrainDeadlineExceeded, "late"), drains("b", metav1.ConditionFalse, v1alpha1.ReasonInFlight, "")},
			metav1.ConditionFalse, v1alpha1.ReasonDrainDeadlineExceeded, "group a: DrainDeadlineExceeded: late"},
		"many are not": {[]v1alpha1.MQConsumerGroup{drains("a", "", "", ""), drains("b", "", "", ""), drains("c", "", "", ""), drains("d", "", "", ""), drains("e", "", "", "")},
			metav1.ConditionFalse, v1alpha1.ReasonGroupNotDrained, "group c: has not taken the suspension over yet; and 2 more"},
	} {
		t.Run(sentence, func(t *testing.T) {
			adapter := &v1alpha1.ThirdPartyAdapter{Spec: v1alpha1.ThirdPartyAdapterSpec{Suspend: new(true)}}
			suite.WantCondition(t, drained(adapter, c.groups), v1alpha1.ConditionDrained, c.status, c.reason, c.says)
		})
	}
}

func TestASuspendedGroupThatComesFurtherIsWorthALook(t *testing.T) {
	before, after := drains("push", metav1.ConditionFalse, v1alpha1.ReasonInFlight, ""), drains("push", metav1.ConditionTrue, v1alpha1.ReasonDrained, "")
	if !usesChanged().Update(event.UpdateEvent{ObjectOld: &before, ObjectNew: &after}) {
		t.Error("a group is drained, and nobody writes it down at its adapter")
	}
}

func TestAnAdapterIsSuspendedAndNotAnyMore(t *testing.T) {
	w := newWorld(t)
	adapter := w.Adapter("sms")
	adapter.Spec.Suspend = new(true)
	group := w.Group("push", "Orders")
	w.Create(t, adapter, group)
	w.step(t, adapter)
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "spec.suspend is true: the groups that use it")
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionDrained, metav1.ConditionFalse, v1alpha1.ReasonGroupNotDrained, "group push")

	group.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionDrained, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDrained, LastTransitionTime: metav1.Now()}}
	if err := w.Status().Update(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	w.Events()
	w.step(t, adapter)
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionDrained, metav1.ConditionTrue, v1alpha1.ReasonDrained)
	if events := w.Events(); len(events) != 1 || events[0][:len("Normal Drained")] != "Normal Drained" {
		t.Errorf("the events are %q", events)
	}

	adapter.Spec.Suspend = nil
	w.Write(t, adapter)
	w.step(t, adapter)
	for _, c := range adapter.Status.Conditions {
		if c.Type == v1alpha1.ConditionDrained {
			t.Errorf("an adapter that is not suspended says %+v", c)
		}
	}
}

func TestAnAdapterIsLookedAtOnDemand(t *testing.T) {
	w := newWorld(t)
	adapter := w.Adapter("sms")
	adapter.Spec.Auth = &v1alpha1.Auth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{SecretRef: v1alpha1.LocalObjectReference{Name: "account"}}}
	w.Create(t, adapter)
	w.step(t, adapter)
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	w.Create(t, w.Credential("account", "sms.example.com", map[string]string{"token": "t"})) // of which nobody tells
	adapter.Annotations = map[string]string{v1alpha1.ReconcileAtAnnotation: "now"}
	w.Write(t, adapter)
	if w.step(t, adapter); adapter.Status.LastHandledReconcileAt != "now" {
		t.Errorf("the status says %q", adapter.Status.LastHandledReconcileAt)
	}
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func TestAnOperatorThatBeginsUnsaysNothingOfAThirdParty(t *testing.T) {
	w := newWorld(t)
	adapter, group := w.Adapter("sms"), w.Group("push", "Orders")
	group.Status.Replicas = 1
	w.Create(t, adapter, group)
	w.reports["push"] = []workersync.Report{says(worker.CircuitOpen, "AddressRefused: 10.0.0.1 is private", w.Now())}
	w.step(t, adapter)
	wantDown := func() {
		t.Helper()
		suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionThirdPartyDown, metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen)
		suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAddressRefused, "10.0.0.1 is private")
	}
	wantDown()

	w.reports, w.begins = nil, true
	before := adapter.ResourceVersion
	if answer := w.step(t, adapter); answer.RequeueAfter > interval*11/10 || adapter.ResourceVersion != before {
		t.Errorf("it is looked at again in %v, and was written as %+v", answer.RequeueAfter, adapter.Status)
	}
	wantDown()
	w.begins = false
	w.step(t, adapter)
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionThirdPartyDown, metav1.ConditionUnknown, v1alpha1.ReasonNotRead)
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}
