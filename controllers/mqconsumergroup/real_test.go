// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
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
	w.eventually("the broker lists nobody, and the new structure begins", func() bool {
		w.must(second(w.reconcile()))
		return structureOf(w.deployment()) != old
	})

	w.group.Spec.Replicas, w.group.Spec.Suspend = new(int32(0)), new(true)
	w.Write(t, w.group)
	w.sendBack(3) // for ten seconds
	w.must(second(w.reconcile()))
	w.roll()
	drained := func(status metav1.ConditionStatus, reason string) func() bool {
		return func() bool {
			w.must(second(w.reconcile()))
			c := meta.FindStatusCondition(w.group.Status.Conditions, v1alpha1.ConditionDrained)
			return c != nil && c.Status == status && c.Reason == reason
		}
	}
	w.eventually("it is said that a message waits for its next attempt", drained(metav1.ConditionFalse, v1alpha1.ReasonRetriesPending))
	w.eventually("it is said that it has come back", drained(metav1.ConditionTrue, v1alpha1.ReasonDrained))
	retry := rocketmq.Queue{Topic: rocketmq.RetryTopic(w.group.Spec.Group), Broker: w.brokers[0].name}
	w.eventually("the retry topic has it", func() bool {
		end, err := w.client.MaxOffset(t.Context(), w.brokers[0].addr, retry)
		w.must(err)
		return end == 1
	})
}
