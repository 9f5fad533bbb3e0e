// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/deadletterreplay"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/test/rig"
)

func TestMain(m *testing.M) { suite.Main(m) }

// TestDeadLettersAreHandledOnceByTheirGroupAlone has two groups on a topic, one of whose third party refuses every order until it is corrected.
func TestDeadLettersAreHandledOnceByTheirGroupAlone(t *testing.T) {
	const orders, patience = 30, time.Minute
	lab := rig.NewLab(t, rig.Build(t))
	flow := rig.NewFlow(t, lab)
	other := flow.Beside(t)
	refusing, healthy := rig.NewParty(t, lab, false), rig.NewParty(t, lab, false)
	refusing.Steer(`{"mode":"status","status":422}`)
	for n := range orders {
		flow.PayOne(fmt.Sprint("o", n))
	}
	for f, p := range map[*rig.Flow]*rig.Party{flow: refusing, other: healthy} {
		structure, limits := f.Declared(p.URL)
		limits.Adapters[0].Breaker.FailurePercentage = 100
		limits.Adapters[0].Timeout = worker.Duration(patience) // a call that was given up would be made again
		rig.NewPod(t, lab, "pod-of-"+f.Group[len(f.Group)-8:], structure, limits).Start()
	}
	await := func(what string, done func() bool) {
		t.Helper()
		if !rig.Await(t.Context(), patience, done) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
	await("the dead letters", func() bool { return flow.Judge(refusing).DeadLetters["RequestRefused"] == orders })
	await("the other group", func() bool { return len(healthy.Calls()) == orders })
	refused := map[string]string{}
	for _, call := range refusing.Calls() {
		refused[call.OrderID] = call.Key
	}

	refusing.Steer(`{"mode":"healthy"}`)
	before := len(refusing.Calls())
	s := declare(t, flow)
	r := &deadletterreplay.Reconciler{
		Client: s.Client, Live: s.Client, Applier: s.Applier, Connector: s.Connector, Recorder: s.Recorder, Now: s.Now,
		Heard: func(types.NamespacedName) bool { return true },
	}
	replay := &v1alpha1.DeadLetterReplay{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "again"},
		Spec:       v1alpha1.DeadLetterReplaySpec{GroupRef: v1alpha1.LocalObjectReference{Name: "push"}, Rate: 100, Filter: &v1alpha1.ReplayFilter{Reasons: []string{"RequestRefused"}}},
	}
	s.Create(t, replay)
	await("the replay to be done", func() bool {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(replay)}); err != nil {
			t.Fatal(err)
		}
		s.Read(t, replay)
		return replay.Status.CompletionTime != nil
	})
	if matched, resent := *replay.Status.Matched, *replay.Status.Resent; matched != orders || resent != orders {
		t.Errorf("%d dead letters matched, %d were given back, want %d", matched, resent, orders)
	}
	await("the messages that were given back", func() bool { return len(refusing.Calls()) >= before+orders })
	await("everything to be committed", func() bool { return flow.Settle(refusing) })
	handled := map[string]int{}
	for _, call := range refusing.Calls()[before:] {
		handled[call.OrderID]++
		if call.Key == "" || call.Key != refused[call.OrderID] || !call.Effect {
			t.Errorf("order %s was asked for with the key %q after %q, and had an effect: %v", call.OrderID, call.Key, refused[call.OrderID], call.Effect)
		}
	}
	for n := range orders {
		if id := fmt.Sprint("o", n); handled[id] != 1 {
			t.Errorf("order %s was handled %d times", id, handled[id])
		}
	}
	if n := len(healthy.Calls()); n != orders {
		t.Errorf("the other group's third party was called %d times for %d orders", n, orders)
	}
	if n := flow.Judge(refusing).DeadLetters["RequestRefused"]; n != orders {
		t.Errorf("there are %d dead letters, want no more than the %d of before", n, orders)
	}
}

// declare is the flow's group in an API server, as its own controller leaves it.
func declare(t *testing.T, flow *rig.Flow) *suite.Suite {
	t.Helper()
	s := suite.New(t)
	yes := func(condition string) []metav1.Condition {
		return []metav1.Condition{{Type: condition, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.NewTime(s.Now())}}
	}
	cluster, group := s.Cluster(flow.NameServer()), s.Group("push", flow.Topic)
	cluster.Status = v1alpha1.MQClusterStatus{ObservedGeneration: 1, Identity: "physical", Conditions: yes(v1alpha1.ConditionReady)}
	group.Spec.Group = flow.Group
	group.Status.Circuit, group.Status.Conditions = v1alpha1.CircuitClosed, yes(v1alpha1.ConditionBrokerReady)
	s.Create(t, cluster, s.Adapter("sms"), group)
	return s
}
