// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestNothingLeadsToAnEditedClusterBeforeItWasLookedAt(t *testing.T) {
	w, other := newWorld(t), fake.Start(t, fake.Config{})
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	w.Read(t, w.cluster)
	w.cluster.Spec.NameServers = []string{other.NameServer()}
	w.Write(t, w.cluster)

	w.later = verifyEvery + 1
	w.step(t, flow)

	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonClusterNotReady, "MQCluster mq", "generation 1 of its spec, not of 2")
	if got := string(w.secret(t, "order-paid-producer").Data["name-servers"]); got != w.mq.NameServer() {
		t.Errorf("the order system is sent to %s, which nobody has looked at; want %s still", got, w.mq.NameServer())
	}
	if _, err := w.admin(t).TopicConfig(t.Context(), other.Broker().Addr(), w.topic()); err == nil {
		t.Error("the topic was written to a cluster that nobody has looked at")
	}
}

func TestTheOrderSystemIsBoundOnceNoGroupWouldMissItsFirstOrders(t *testing.T) {
	for sentence, test := range map[string]struct {
		start v1alpha1.StartPosition
		// group is what the group says.
		group func(*v1alpha1.MQConsumerGroup)
		bound bool
	}{
		"the group has not been looked at":         {},
		"the group is on its way":                  {group: says(result.Wait(v1alpha1.ReasonProgressing, 0, "soon"))},
		"the group has its start offsets":          {group: func(g *v1alpha1.MQConsumerGroup) { g.Status.SeededTime = new(metav1.Now()) }, bound: true},
		"the group waits for somebody":             {group: says(result.Stall(v1alpha1.ReasonAdapterNotFound, "there is no adapter")), bound: true},
		"the group begins with what is there then": {start: v1alpha1.StartEarliest, bound: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			flow := w.Flow("order-paid", w.topic())
			if test.start != "" {
				flow.Spec.Consumers[0].Consume.StartFrom.Position = test.start
			}
			w.Create(t, flow)
			w.step(t, flow)
			w.step(t, flow)
			if test.group != nil {
				group := w.Group("order-paid-push", "")
				w.Read(t, group)
				test.group(group)
				if err := w.Status().Update(t.Context(), group); err != nil {
					t.Fatal(err)
				}
				w.step(t, flow)
			}
			if bound := w.secret(t, "order-paid-producer") != nil; bound != test.bound || bound != (flow.Status.Binding != nil) {
				t.Errorf("the binding is there: %t, and in the status: %v; want %t", bound, flow.Status.Binding, test.bound)
			}
			if !test.bound {
				suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonGroupNotReady,
					"Secret order-paid-producer is written when MQConsumerGroup order-paid-push has its start offsets")
			}
		})
	}
}

// says is a group that was looked at, with this result.
func says(r result.Result) func(*v1alpha1.MQConsumerGroup) {
	return func(group *v1alpha1.MQConsumerGroup) {
		group.Status.ObservedGeneration = group.Generation
		condition.Set(&group.Status.Conditions, group.Generation, time.Now(), condition.Summary("", r)...)
	}
}
