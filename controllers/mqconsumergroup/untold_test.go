// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestWhatMayWaitToBeTold(t *testing.T) {
	waits, stalls := result.Wait(v1alpha1.ReasonProgressing, 0, "on its way"), result.Stall(v1alpha1.ReasonApplyFailed, "refused")
	fails := result.Fail(v1alpha1.ReasonBrokerUnreachable, errors.New("timeout"), "asking")
	group := func(r result.Result, changes ...func(*v1alpha1.MQConsumerGroup)) *v1alpha1.MQConsumerGroup {
		g := &v1alpha1.MQConsumerGroup{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
		g.Status = v1alpha1.MQConsumerGroupStatus{ObservedGeneration: 1, ClusterIdentity: "physical", DeadLetters: new(int64(0))}
		condition.Set(&g.Status.Conditions, 1, noon, append(condition.Summary("fine", r),
			metav1.Condition{Type: v1alpha1.ConditionConfigCurrent, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady},
			metav1.Condition{Type: v1alpha1.ConditionForeignConsumers, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoForeignConsumers},
		)...)
		for _, change := range changes {
			change(g)
		}
		return g
	}
	has := func(kind string, status metav1.ConditionStatus, reason string) func(*v1alpha1.MQConsumerGroup) {
		return func(g *v1alpha1.MQConsumerGroup) {
			condition.Set(&g.Status.Conditions, 1, noon, metav1.Condition{Type: kind, Status: status, Reason: reason})
		}
	}
	pods := func(g *v1alpha1.MQConsumerGroup) { g.Status.ReadyReplicas = 1 }
	for sentence, test := range map[string]struct {
		before, after *v1alpha1.MQConsumerGroup
		want          time.Duration
	}{
		"a step further":                                     {group(waits), group(waits), untoldOnItsWay},
		"it is Ready, and all is known":                      {group(waits), group(result.Result{}), 0},
		"it is Ready, and its pods do not answer":            {group(waits), group(result.Result{}, pods, has(v1alpha1.ConditionConfigCurrent, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering)), untoldFirstWords},
		"it is Ready, and its pods were not asked":           {group(waits), group(result.Result{}, pods, has(v1alpha1.ConditionThirdPartyDown, metav1.ConditionUnknown, v1alpha1.ReasonNotRead)), untoldFirstWords},
		"it is Ready without pods":                           {group(waits), group(result.Result{}, has(v1alpha1.ConditionThirdPartyDown, metav1.ConditionUnknown, v1alpha1.ReasonNotRead)), 0},
		"it is Ready, and its dead letters were not counted": {group(waits), group(result.Result{}, func(g *v1alpha1.MQConsumerGroup) { g.Status.DeadLetters = nil }), untoldFirstWords},
		"of one that broadcasts nobody counts any": {group(waits), group(result.Result{}, func(g *v1alpha1.MQConsumerGroup) {
			g.Status.DeadLetters, g.Spec.Consume.Model = nil, v1alpha1.ConsumeBroadcasting
		}), 0},
		"it is Ready no more":             {group(result.Result{}), group(waits), 0},
		"it was Ready before":             {group(result.Result{}), group(result.Result{}), 0},
		"it stalls":                       {group(waits), group(stalls), 0},
		"it stalls no more":               {group(stalls), group(waits), 0},
		"something cannot be read":        {group(waits), group(fails), 0},
		"somebody edited it":              {group(waits), group(waits, func(g *v1alpha1.MQConsumerGroup) { g.Status.ObservedGeneration = 2 }), 0},
		"somebody demanded a look":        {group(waits), group(waits, func(g *v1alpha1.MQConsumerGroup) { g.Status.LastHandledReconcileAt = "now" }), 0},
		"the claim":                       {group(waits, func(g *v1alpha1.MQConsumerGroup) { g.Status.ClusterIdentity = "" }), group(waits), 0},
		"it is being deleted":             {group(waits), group(waits, func(g *v1alpha1.MQConsumerGroup) { g.DeletionTimestamp = new(metav1.NewTime(noon)) }), 0},
		"strangers have joined meanwhile": {group(waits), group(waits, has(v1alpha1.ConditionForeignConsumers, metav1.ConditionTrue, v1alpha1.ReasonForeignConsumersOnline)), 0},
		"a third party is back":           {group(waits, has(v1alpha1.ConditionThirdPartyDown, metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen)), group(waits, has(v1alpha1.ConditionThirdPartyDown, metav1.ConditionFalse, v1alpha1.ReasonCircuitClosed)), 0},
		"its pods fail":                   {group(waits, has(v1alpha1.ConditionWorkloadReady, metav1.ConditionTrue, v1alpha1.ReasonReady)), group(waits, has(v1alpha1.ConditionWorkloadReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)), 0},
		"its pods are ready":              {group(waits, has(v1alpha1.ConditionWorkloadReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)), group(waits, has(v1alpha1.ConditionWorkloadReady, metav1.ConditionTrue, v1alpha1.ReasonReady)), untoldOnItsWay},
		"a pod keeps old limits":          {group(waits), group(waits, has(v1alpha1.ConditionConfigCurrent, metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated)), 0},
		"a message was skipped":           {group(waits), group(waits, func(g *v1alpha1.MQConsumerGroup) { g.Status.SkippedMessageIDs = []string{"7"} }), 0},
		"a position has jumped":           {group(waits), group(waits, func(g *v1alpha1.MQConsumerGroup) { g.Status.Jumps = &v1alpha1.Jumps{} }), 0},
		"nobody has looked at it before":  {&v1alpha1.MQConsumerGroup{}, group(waits, func(g *v1alpha1.MQConsumerGroup) { g.Status.ClusterIdentity = "" }), untoldNew},
		"nobody has, and it stalls":       {&v1alpha1.MQConsumerGroup{}, group(stalls, func(g *v1alpha1.MQConsumerGroup) { g.Status.ClusterIdentity = "" }), 0},
		"it is claimed at the first look": {&v1alpha1.MQConsumerGroup{}, group(waits), 0},
	} {
		if got := mayWait(test.before, test.after); got != test.want {
			t.Errorf("%s: it may wait for %v, want %v", sentence, got, test.want)
		}
	}
}

func TestWhetherADeploymentMayBeMarkedAnewWithoutAWord(t *testing.T) {
	status := func(r result.Result, more ...metav1.Condition) v1alpha1.MQConsumerGroupStatus {
		s := v1alpha1.MQConsumerGroupStatus{ObservedGeneration: 1}
		workload := condition.Of(v1alpha1.ConditionWorkloadReady, r, "fine")
		condition.Set(&s.Conditions, 1, noon, append(append(condition.Summary("fine", r), workload), more...)...)
		return s
	}
	waits := result.Wait(v1alpha1.ReasonPodsNotReady, 0, "2 of 2 pods are ready; Kubernetes has not looked")
	strangers := metav1.Condition{Type: v1alpha1.ConditionForeignConsumers, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonForeignConsumersOnline}
	all := appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2}
	for sentence, test := range map[string]struct {
		was, is    v1alpha1.MQConsumerGroupStatus
		deployment func(*appsv1.Deployment)
		want       time.Duration
	}{
		"Kubernetes has not looked yet": {was: status(result.Result{}), is: status(waits), want: untoldTakenUp},
		"it has, and replaces pods": {was: status(result.Result{}), is: status(waits), deployment: func(d *appsv1.Deployment) {
			d.Status.ObservedGeneration, d.Status.UpdatedReplicas = 2, 1
		}},
		"other numbers of pods are wanted":     {was: status(result.Result{}), is: status(waits), deployment: func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(3)) }},
		"a pod is not ready":                   {was: status(result.Result{}), is: status(waits), deployment: func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 1 }},
		"strangers have come at the same time": {was: status(result.Result{}), is: status(waits, strangers)},
		"it was not Ready before":              {was: status(waits), is: status(waits)},
		"somebody edited the group": {was: status(result.Result{}), is: func() v1alpha1.MQConsumerGroupStatus {
			s := status(waits)
			s.ObservedGeneration = 2
			return s
		}()},
	} {
		d := deployment(ready(), "push-abc", 2)
		d.Generation, d.Status = 2, all
		if test.deployment != nil {
			test.deployment(d)
		}
		was, is := &v1alpha1.MQConsumerGroup{Status: test.was}, &v1alpha1.MQConsumerGroup{Status: test.is}
		if got := untilTakenUp(was, is, &workload{deployment: d}); got != test.want {
			t.Errorf("%s: it may wait for %v, want %v", sentence, got, test.want)
		}
	}
	if got := untilTakenUp(&v1alpha1.MQConsumerGroup{Status: status(result.Result{})}, &v1alpha1.MQConsumerGroup{Status: status(waits)}, nil); got != 0 {
		t.Errorf("where nothing was applied it may wait for %v", got)
	}
}

func TestAGroupOnItsWayIsWrittenTwice(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) { g.Spec.Dispatch = v1alpha1.DispatchShadow }) // so that its pods, which do not answer here, have no circuits to tell of
	writes := &suite.Counter{Client: w.Client}
	w.r.Applier = apply.New(writes, w.Client).Patient()
	w.r.Verified = verification.New(VerifyEvery)
	statuses := func() (n int) {
		for _, write := range writes.Writes() {
			if write == "write the status of *v1alpha1.MQConsumerGroup" {
				n++
			}
		}
		return n
	}
	w.must(second(w.reconcile()))
	if got := statuses(); got != 1 || w.group.Status.ClusterIdentity == "" {
		t.Fatalf("the claim %q took %d writes", w.group.Status.ClusterIdentity, got)
	}
	answer, err := w.reconcile()
	w.must(err)
	if w.deployment() == nil || answer.RequeueAfter <= 0 || answer.RequeueAfter > untoldOnItsWay {
		t.Errorf("all is made, and it is looked at again in %v", answer.RequeueAfter)
	}
	read := len(w.mq.Calls(rocketmq.OpGroupConfig))
	w.roll()
	if answer, err = w.reconcile(); answer.RequeueAfter > untoldLook {
		t.Errorf("its pods are about to answer, and it is looked at again in %v (%v)", answer.RequeueAfter, err)
	}
	if got := statuses(); got != 0 {
		t.Errorf("on its way it was written %d times", got)
	}
	if got := len(w.mq.Calls(rocketmq.OpGroupConfig)) - read; got != 0 {
		t.Errorf("what was not written was not known: the brokers were asked again %d times", got)
	}
	w.beats(longBeat)
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if got := statuses(); got != 1 || w.group.Status.SeededTime == nil || w.group.Status.DeadLetters == nil {
		t.Errorf("Ready took %d writes: %+v", got, w.group.Status)
	}
	if got := w.Events(); len(got) != 1 || !strings.HasPrefix(got[0], "Normal Ready") {
		t.Errorf("told was %q", got)
	}
}

func TestAGroupThatIsNewIsNotWokenBesides(t *testing.T) {
	w := newWorld(t, nil)
	w.beat() // the first may be too soon for anything
	if w.beat() {
		t.Error("the pulse wakes a group that nobody has looked at yet, before those that are further")
	}
}

func TestAGroupThatIsAnnotatedOnItsWayLosesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.r.Applier = apply.New(w.Client, w.Client).Patient()
	w.r.Verified = verification.New(VerifyEvery)
	for range 2 { // the claim, and all the rest, which waits to be told
		w.must(second(w.reconcile()))
	}
	w.group.Annotations = map[string]string{"theirs": "1"}
	w.Write(t, w.group)
	w.roll()
	for range 2 { // it is found out anew
		w.must(second(w.reconcile()))
	}
	w.beats(longBeat)
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if w.group.Status.SeededTime == nil || w.group.Status.StructureName == "" || w.group.Annotations["theirs"] != "1" {
		t.Errorf("the group is %+v", w.group)
	}
	if got := w.Events(); len(got) != 1 || !strings.HasPrefix(got[0], "Normal Ready") {
		t.Errorf("told was %q", got)
	}
}
