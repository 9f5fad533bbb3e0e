// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
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

	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonClusterNotReady, "MQCluster mq", "generation 1 of its spec, not of 2")
	if got := string(w.secret(t, "order-paid-producer").Data["name-servers"]); got != w.mq.NameServer() {
		t.Errorf("the order system is sent to %s, which nobody has looked at; want %s still", got, w.mq.NameServer())
	}
	if _, err := w.admin(t).TopicConfig(t.Context(), other.Broker().Addr(), w.topic()); err == nil {
		t.Error("the topic was written to a cluster that nobody has looked at")
	}
}
