// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestWhatKeepsAFlowFromBeingReadyIsSaid(t *testing.T) {
	for sentence, test := range map[string]struct {
		// before makes the world so that the flow cannot be Ready; it may change the flow before it is created.
		before func(*testing.T, *world, *v1alpha1.OrderFlow)
		// settled makes it so after the flow was settled.
		settled func(*testing.T, *world, *v1alpha1.OrderFlow)

		stalled bool
		reason  string
		message []string
		topic   metav1.ConditionStatus
	}{
		"there is no cluster of the name": {
			before:  func(_ *testing.T, _ *world, flow *v1alpha1.OrderFlow) { flow.Spec.ClusterRef.Name = "other" },
			stalled: true, reason: v1alpha1.ReasonClusterNotFound, topic: metav1.ConditionFalse,
			message: []string{"no MQCluster \"other\"", "spec.clusterRef cannot change"},
		},
		"the cluster is not ready": {
			settled: func(t *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				condition.Set(&w.cluster.Status.Conditions, 1, w.Now(), condition.Summary("", result.Wait(v1alpha1.ReasonNameServerUnreachable, 0, "no route to host"))...)
				if err := w.Status().Update(t.Context(), w.cluster); err != nil {
					t.Fatal(err)
				}
			},
			reason: v1alpha1.ReasonClusterNotReady, topic: metav1.ConditionUnknown,
			message: []string{"MQCluster mq", "NameServerUnreachable", "no route to host"},
		},
		"the topic was there before": {
			before: func(t *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: readWrite})
			},
			stalled: true, reason: v1alpha1.ReasonAlreadyExists, topic: metav1.ConditionFalse,
			message: []string{"broker-a, broker-b", "set spec.topic.adoptionPolicy to Adopt", "restoring", "else delete this OrderFlow"},
		},
		"the topic is of another type": {
			before: func(t *testing.T, w *world, flow *v1alpha1.OrderFlow) {
				w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: readWrite, Attributes: map[string]string{"message.type": "DELAY"}})
				flow.Spec.Topic.AdoptionPolicy = v1alpha1.AdoptionAdopt
			},
			stalled: true, reason: v1alpha1.ReasonTopicMismatch, topic: metav1.ConditionFalse,
			message: []string{"DELAY", "broker-a", "delete this OrderFlow and create it anew with another topic"},
		},
		"the topic is a broker's own": {
			before: func(t *testing.T, w *world, flow *v1alpha1.OrderFlow) {
				w.put(t, rocketmq.TopicConfig{Name: "broker-a", ReadQueues: 1, WriteQueues: 1, Perm: readWrite})
				flow.Spec.Topic.Name, flow.Spec.Topic.AdoptionPolicy = "broker-a", v1alpha1.AdoptionAdopt
			},
			stalled: true, reason: v1alpha1.ReasonNameReserved, topic: metav1.ConditionFalse,
			message: []string{"topic broker-a is RocketMQ's own", "create it anew with another topic"},
		},
		"the topic is the cluster's own": {
			before: func(t *testing.T, w *world, flow *v1alpha1.OrderFlow) {
				flow.Spec.Topic.Name, w.cluster.Status.ClusterName = "paying", "paying"
				if err := w.Status().Update(t.Context(), w.cluster); err != nil {
					t.Fatal(err)
				}
			},
			stalled: true, reason: v1alpha1.ReasonNameReserved, topic: metav1.ConditionFalse,
			message: []string{"RocketMQ's own"},
		},
		"one broker does not take the topic": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpPutTopic, Host: "broker-b", Cut: true})
			},
			reason: v1alpha1.ReasonPartlyApplied, topic: metav1.ConditionFalse,
			message: []string{"as declared on broker-a", "broker-b"},
		},
		"no broker takes the topic": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpPutTopic, Code: rocketmq.CodeSystemError, Remark: "disk full"})
			},
			reason: v1alpha1.ReasonBrokerRefused, topic: metav1.ConditionUnknown,
			message: []string{"disk full"},
		},
		"a broker takes the topic and has it otherwise": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpTopicConfig, Host: "broker-b", Code: rocketmq.CodeTopicNotExist})
			},
			reason: v1alpha1.ReasonPartlyApplied, topic: metav1.ConditionFalse,
			message: []string{"as declared on broker-a", "broker-b", "it does not have the topic"},
		},
		"the key may not write topics": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpPutTopic, Code: rocketmq.CodeNoPermission, Remark: "no topic:create"})
			},
			stalled: true, reason: v1alpha1.ReasonPermissionDenied, topic: metav1.ConditionFalse,
			message: []string{"no topic:create", "what the broker grants"},
		},
		"a broker takes the call and never answers": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpTopicConfig, Host: "broker-b", Hang: true, Times: 2})
			},
			reason: v1alpha1.ReasonBrokerUnreachable, topic: metav1.ConditionUnknown,
			message: []string{"broker-b", "deadline exceeded", "brokerIP1"},
		},
		"a broker cannot be asked whether it has the topic": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpTopicConfig, Host: "broker-b", Cut: true})
			},
			reason: v1alpha1.ReasonBrokerUnreachable, topic: metav1.ConditionUnknown,
			message: []string{"whether broker broker-b has topic"},
		},
		"the binding's name is taken": {
			before: func(t *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.Create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "order-paid-producer"}, StringData: map[string]string{"mine": "yes"}})
			},
			stalled: true, reason: v1alpha1.ReasonBindingSecretTaken, topic: metav1.ConditionTrue,
			message: []string{"Secret order-paid-producer", "spec.producer.bindingSecretName"},
		},
		"a group's name is taken": {
			before: func(t *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.Create(t, w.Group("order-paid-push", "Another"))
			},
			stalled: true, reason: v1alpha1.ReasonGroupNameTaken, topic: metav1.ConditionTrue,
			message: []string{"MQConsumerGroup order-paid-push", "rename the consumer"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			flow := w.Flow("order-paid", w.topic())
			if test.before != nil {
				test.before(t, w, flow)
			}
			w.Create(t, flow)
			w.settle(t, flow)
			if test.settled != nil {
				test.settled(t, w, flow)
				w.step(t, flow)
			}
			conditions := flow.Status.Conditions
			says, silent := v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled
			if test.stalled {
				says, silent = silent, says
			}
			suite.WantCondition(t, conditions, says, metav1.ConditionTrue, test.reason, test.message...)
			suite.WantCondition(t, conditions, silent, metav1.ConditionFalse, test.reason)
			for _, c := range conditions {
				switch {
				case c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue:
					t.Error("the flow is Ready")
				case c.Type == v1alpha1.ConditionTopicReady && c.Status != test.topic:
					t.Errorf("TopicReady is %s, want %s: %s", c.Status, test.topic, c.Message)
				case c.ObservedGeneration != flow.Generation:
					t.Errorf("%s speaks of generation %d, not %d", c.Type, c.ObservedGeneration, flow.Generation)
				}
			}
		})
	}
}

func TestOfTwoFlowsWithOneTopicOnTheSameBrokersOneWins(t *testing.T) {
	w := newWorld(t)
	first := w.Flow("order-paid", w.topic())
	// The other team reaches the same brokers by another name, and saw them at another time.
	other := &world{Suite: suite.New(t), mq: w.mq}
	other.cluster = other.Cluster(w.mq.NameServer())
	other.ready(other.cluster)
	other.cluster.Status.Identity = "seen at another time"
	second := other.Flow("theirs", w.topic())
	w.Create(t, first)
	other.Create(t, other.cluster, second)

	w.settle(t, first)
	other.settle(t, second)

	winner, loser := first, second
	if claim.Winner([]claim.Claim{claimOf(first), claimOf(second)}).UID == second.UID { // made in the same second
		winner, loser = second, first
	}
	suite.WantCondition(t, winner.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	suite.WantCondition(t, loser.Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonConflict,
		winner.Namespace+"/"+winner.Name, "delete one of the two")
	groups := &v1alpha1.MQConsumerGroupList{}
	if err := w.List(t.Context(), groups, client.InNamespace(loser.Namespace)); err != nil || len(groups.Items) > 0 {
		t.Errorf("the flow without a topic made %d groups (%v)", len(groups.Items), err)
	}
}

func TestWhatIsSomebodyElsesStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: readWrite})
	taken := w.Group("order-paid-push", "Another")
	w.Create(t, taken, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "order-paid-producer"}, StringData: map[string]string{"mine": "yes"}})
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	w.wantQueues(t, w.topic(), 2, 2)
	flow.Spec.Topic.AdoptionPolicy = v1alpha1.AdoptionAdopt
	w.Write(t, flow)
	w.settle(t, flow)
	if w.Read(t, taken); taken.Spec.Topic != "Another" || len(taken.OwnerReferences) > 0 {
		t.Error("a group that belongs to nobody was overwritten")
	}
	if got := w.secret(t, "order-paid-producer"); string(got.Data["mine"]) != "yes" || len(got.Data) != 1 {
		t.Error("a Secret that belongs to nobody was overwritten")
	}
}
