// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

func TestWhatMayWaitToBeTold(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	waits := result.Wait(v1alpha1.ReasonGroupNotReady, 0, "on its way")
	flow := func(r result.Result, changes ...func(*v1alpha1.OrderFlowStatus)) *v1alpha1.OrderFlow {
		f := &v1alpha1.OrderFlow{Status: v1alpha1.OrderFlowStatus{ObservedGeneration: 1, Topic: &v1alpha1.TopicStatus{ClusterIdentity: "physical"}}}
		condition.Set(&f.Status.Conditions, 1, noon, condition.Summary("fine", r)...)
		for _, change := range changes {
			change(&f.Status)
		}
		return f
	}
	has := func(kind string, status metav1.ConditionStatus) func(*v1alpha1.OrderFlowStatus) {
		return func(s *v1alpha1.OrderFlowStatus) {
			condition.Set(&s.Conditions, 1, noon, metav1.Condition{Type: kind, Status: status, Reason: "So"})
		}
	}
	topic := func(status metav1.ConditionStatus) func(*v1alpha1.OrderFlowStatus) {
		return has(v1alpha1.ConditionTopicReady, status)
	}
	consumer := func(reason string) func(*v1alpha1.OrderFlowStatus) {
		return func(s *v1alpha1.OrderFlowStatus) {
			s.Consumers = []v1alpha1.FlowConsumerStatus{{Name: "done", Ready: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady}, {Name: "push", Ready: metav1.ConditionFalse, Reason: reason}}
		}
	}
	for sentence, test := range map[string]struct {
		before, after *v1alpha1.OrderFlow
		want          time.Duration
	}{
		"a consumer is Ready":          {flow(waits), flow(waits, func(s *v1alpha1.OrderFlowStatus) { s.ReadyConsumers = "1/3" }), interval},
		"a consumer is a step further": {flow(waits), flow(waits, consumer(v1alpha1.ReasonProgressing)), interval},
		"a consumer is held up":        {flow(waits), flow(waits, consumer(v1alpha1.ReasonSecretNotFound)), settleLong},
		"it is so no more":             {flow(waits, consumer(v1alpha1.ReasonSecretNotFound)), flow(waits, consumer(v1alpha1.ReasonProgressing)), settleLong},
		"it is Ready":                  {flow(waits), flow(result.Result{}), 0},
		"it is Ready no more":          {flow(result.Result{}), flow(waits), 0},
		"it was Ready before":          {flow(result.Result{}), flow(result.Result{}), 0},
		"it stalls":                    {flow(waits), flow(result.Stall(v1alpha1.ReasonGroupNotReady, "stalls")), 0},
		"a broker cannot be asked":     {flow(waits), flow(result.Fail(v1alpha1.ReasonBrokerUnreachable, errors.New("timeout"), "asking")), 0},
		"somebody edited it":           {flow(waits), flow(waits, func(s *v1alpha1.OrderFlowStatus) { s.ObservedGeneration = 2 }), 0},
		"somebody demanded a look":     {flow(waits), flow(waits, func(s *v1alpha1.OrderFlowStatus) { s.LastHandledReconcileAt = "now" }), 0},
		"the claim":                    {flow(waits, func(s *v1alpha1.OrderFlowStatus) { s.Topic = nil }), flow(waits), 0},
		"the topic is as declared":     {flow(waits, topic(metav1.ConditionFalse)), flow(waits, topic(metav1.ConditionTrue)), 0},
		"no message comes":             {flow(waits), flow(waits, has(v1alpha1.ConditionNoTraffic, metav1.ConditionTrue)), 0},
		"producers may send":           {flow(waits), flow(waits, func(s *v1alpha1.OrderFlowStatus) { s.Binding = &v1alpha1.LocalObjectReference{Name: "shop-producer"} }), 0},
		"nobody has looked at it":      {&v1alpha1.OrderFlow{}, flow(waits), 0},
	} {
		if got := mayWait(test.before, test.after); got != test.want {
			t.Errorf("%s: it may wait for %v, want %v", sentence, got, test.want)
		}
	}
}
