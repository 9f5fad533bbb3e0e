// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	local "github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// TestARealBrokerDecidesWhenAnotherSubscriptionBegins has a member that is listed by the broker for longer than its pod by Kubernetes; and one that waits in a delay level.
func TestARealBrokerDecidesWhenAnotherSubscriptionBegins(t *testing.T) {
	mq := broker.Own(t, local.Options{})
	w := newWorldOn(t, mq.NameServer(), nil)
	w.settle()
	w.roll()
	w.join(w.ownMember())
	old := structureOf(w.deployment())
	w.group.Spec.Subscription = v1alpha1.Subscription{Type: v1alpha1.SubscriptionTag, Tag: &v1alpha1.TagSubscription{Expression: "paid"}}
	w.Write(t, w.group)
	w.must(second(w.reconcile()))
	w.roll() // the pods are gone
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "1 members at the broker are left: "+w.ownMember())
	if d := w.deployment(); structureOf(d) != old || wantedReplicas(d) != 0 {
		t.Fatalf("%d pods of %s are wanted while the broker lists a member", wantedReplicas(d), structureOf(d))
	}
	w.leave(w.ownMember())
	for deadline := time.Now().Add(time.Minute); structureOf(w.deployment()) == old; {
		w.must(second(w.reconcile()))
		if time.Now().After(deadline) {
			t.Fatal("the broker lists nobody, and the new structure does not begin")
		}
	}

	w.group.Spec.Replicas, w.group.Spec.Suspend = new(int32(0)), new(true)
	w.Write(t, w.group)
	w.sendBack(2)
	w.must(second(w.reconcile()))
	w.roll()
	for range 2 {
		w.must(second(w.reconcile()))
	}
	w.want(v1alpha1.ConditionDrained, metav1.ConditionFalse, v1alpha1.ReasonRetriesPending)
	for deadline := time.Now().Add(time.Minute); w.group.Status.Suspension.RetriesUntil != nil; {
		w.must(second(w.reconcile()))
		if time.Now().After(deadline) {
			t.Fatal("the message came back, and is said to wait yet")
		}
	}
	w.want(v1alpha1.ConditionDrained, metav1.ConditionTrue, v1alpha1.ReasonDrained)
	b := w.brokers[0]
	stats, err := w.client.TopicStats(t.Context(), b.addr, rocketmq.RetryTopic(w.group.Spec.Group))
	w.must(err)
	if q := (rocketmq.Queue{Topic: rocketmq.RetryTopic(w.group.Spec.Group), Broker: b.name}); stats.Queues[q].Max != 1 {
		t.Errorf("it is drained, and the retry topic has %+v", stats)
	}
}
