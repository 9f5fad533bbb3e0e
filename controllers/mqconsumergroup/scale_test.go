// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestScaleIsServed(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.must(w.SubResource("scale").Update(t.Context(), w.group, client.WithSubResourceBody(&autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "push", ResourceVersion: w.group.ResourceVersion}, Spec: autoscalingv1.ScaleSpec{Replicas: 0},
	})))
	w.must(second(w.reconcile()))
	if got := wantedReplicas(w.deployment()); got != 0 {
		t.Errorf("%d pods are wanted", got)
	}
	w.roll()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "no pod is wanted")
	w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
	if events := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.Contains(e, "Normal Scaled from 2 to 0 pods") }) {
		t.Errorf("the events are %q", events)
	}
}

func TestAStepIsRememberedWhereItWasMade(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		g.Spec.Replicas, g.Spec.Scaling = nil, &v1alpha1.Scaling{MinReplicas: new(int32(1)), MaxReplicas: 3}
	})
	w.settle()
	seen := &inputs{group: w.group.DeepCopy(), deployment: w.deployment()}
	seen.group.Status.Scaling = nil // as read before the step was written down
	if got := scalingInput(seen, w.Now()).LastStep; w.Now().Sub(got) > time.Minute {
		t.Errorf("the pods were made just now, and the last step was at %v", got)
	}
}

func TestTheFirstMessageWakesAGroupAtZero(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		g.Spec.Replicas, g.Spec.Scaling = nil, &v1alpha1.Scaling{MinReplicas: new(int32(0)), MaxReplicas: 3}
	})
	w.settle()
	if got := wantedReplicas(w.deployment()); got != 0 {
		t.Fatalf("%d pods are wanted while nothing waits", got)
	}
	w.roll()
	w.must(second(w.reconcile()))
	w.beat()
	w.must(second(w.reconcile()))
	w.send(0, 1)
	if !w.beat() {
		t.Fatal("nobody was told of the message")
	}
	w.must(second(w.reconcile()))
	if got := wantedReplicas(w.deployment()); got != 1 {
		t.Errorf("%d pods are wanted", got)
	}
	if s := w.group.Status.Scaling; s.Bound != v1alpha1.BoundNone || !strings.Contains(s.Message, "woken by 1") || s.LastScaleTime == nil {
		t.Errorf("the decision reads %+v", s)
	}
	if lag := w.group.Status.Lag; lag == nil || *lag != 1 {
		t.Errorf("the lag reads %v", lag)
	}
}

func TestThePulseKnowsHowManyQueuesBoundThePods(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		g.Spec.Replicas, g.Spec.Scaling = nil, &v1alpha1.Scaling{MinReplicas: new(int32(1)), MaxReplicas: 3}
	})
	w.settle()
	w.beat()
	var seen inputs
	w.pulse.see(&seen, client.ObjectKeyFromObject(w.group), w.group, w.r.Now())
	if in := scalingInput(&seen, w.r.Now()); int(in.Queues) != topicQueues*len(w.brokers) {
		t.Errorf("it knows of %d queues", in.Queues)
	}
}

func TestWhatElseDecidesOnTheNumberOfPodsIsTold(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		g.Spec.Replicas, g.Spec.Scaling = nil, &v1alpha1.Scaling{MinReplicas: new(int32(1)), MaxReplicas: 3}
	})
	w.settle()
	w.roll()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionScaling, metav1.ConditionFalse, string(v1alpha1.BoundLagUnknown))
	woken := false
	for range 4 { // as soon as the arrival rate is known
		w.later += tellPeriod
		if w.beat() {
			woken = true
			w.must(second(w.reconcile()))
		}
	}
	if !woken {
		t.Error("nobody was woken")
	}
	w.want(v1alpha1.ConditionScaling, metav1.ConditionTrue, string(v1alpha1.BoundMinimum))
	if w.later += tellPeriod; w.beat() {
		t.Error("it is woken for what was told")
	}
}
