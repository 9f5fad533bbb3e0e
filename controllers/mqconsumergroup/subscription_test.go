// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func bySQL(expression string) v1alpha1.Subscription {
	return v1alpha1.Subscription{Type: v1alpha1.SubscriptionSQL92, SQL92: &v1alpha1.SQL92Subscription{Expression: expression}}
}

func TestASubscriptionThatNoBrokerServesStartsNoPod(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) { g.Spec.Subscription = bySQL("amount >") })
	w.settle()
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonFilterDisabled, "broker broker-a does not filter by properties", "enablePropertyFilter=true")
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady) // a group at Latest begins where it was declared

	w.mq.SetProperty(rocketmq.PropertyFilter, "true")
	_, err := w.reconcile()
	w.must(err)
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSubscription, "broker broker-a cannot read subscription.sql92.expression")
	if w.deployment() != nil {
		t.Error("there is a Deployment")
	}

	w.group.Spec.Subscription = bySQL("amount > 100")
	w.must(w.Update(t.Context(), w.group))
	w.settle()
	w.want(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)
	if d := w.deployment(); wantedReplicas(d) != 2 {
		t.Errorf("%d pods are wanted once the subscription is right, want 2", wantedReplicas(d))
	}
}

func TestATypeOfSubscriptionChangesWithoutTwoAtOnce(t *testing.T) {
	seen := ready()
	seen.group.Spec.Subscription.Tag.Expression = "paid"
	old := structure(seen)
	seen.running = &old
	config, _ := structureConfig(seen.group, old)
	seen.deployment = deployment(seen, config.Name, 2)
	seen.group.Spec.Subscription = bySQL("paid")
	wanted := structure(seen)
	next, _ := structureConfig(seen.group, wanted)
	got := stopFirst(seen, wanted, next.Name)
	if got.IsDone() || wanted.TagExpression != "" || wanted.SQLExpression != "paid" {
		t.Errorf("%+v of %+v, want to wait until all pods have stopped", got, wanted)
	}
}
