// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestAFlowMakesTopicBindingAndGroups(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)

	unclaimed := flow.DeepCopy()
	w.step(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "is claimed")
	w.wantQueues(t, w.topic(), -1, -1)
	if !claimed().Update(event.UpdateEvent{ObjectOld: unclaimed, ObjectNew: flow}) || claimed().Update(event.UpdateEvent{ObjectOld: flow, ObjectNew: flow}) {
		t.Error("want a flow looked at again when its claim can be read, and only then")
	}
	if got := w.secret(t, "order-paid-producer"); got != nil {
		t.Error("the binding was written before the topic was this flow's")
	}

	w.step(t, flow)
	w.wantQueues(t, w.topic(), 4, 4)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "2 brokers", "8 queues")
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonGroupNotReady, "order-paid-push")

	want := map[string][]byte{
		"type": []byte("rocketmq"), "provider": []byte("orderflow"), "name-servers": []byte(w.mq.NameServer()), "topic": []byte(w.topic()),
		"group": []byte("order_producer_group"), "send-mode": []byte("Sync"), "send-timeout": []byte("3s"), "async-retries": []byte("0"),
		"order-queues": []byte(w.mq.Brokers()[0].Name() + ":4;" + w.mq.Brokers()[1].Name() + ":4"),
	}
	w.seed(t, flow)
	w.step(t, flow)
	binding := w.secret(t, "order-paid-producer")
	if diff := cmp.Diff(want, binding.Data); diff != "" || binding.Type != "servicebinding.io/rocketmq" {
		t.Errorf("the binding is of type %s and differs (-want +got):\n%s", binding.Type, diff)
	}
	group := w.Group("order-paid-push", "")
	w.Read(t, group)
	if group.Spec.Topic != w.topic() || group.Spec.Group != "push_consumer_group" || group.Spec.Replicas != nil || !metav1.IsControlledBy(group, flow) {
		t.Errorf("the group is not what the flow declares: %+v", group)
	}
	if events := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "Normal TopicWritten") }) {
		t.Errorf("no event says that the topic was written: %q", events)
	}
}

func TestAFlowIsReadyWithItsGroupsAndSaysWhyNot(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	group := w.Group("order-paid-push", "")
	say := func(r result.Result) {
		t.Helper()
		w.Read(t, group)
		group.Status.ObservedGeneration, group.Status.Lag, group.Status.ReadyReplicas = group.Generation, new(int64(7)), 2
		condition.Set(&group.Status.Conditions, group.Generation, w.Now(), condition.Summary("fine", r)...)
		if err := w.Status().Update(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		w.step(t, flow)
	}

	say(result.Stall(v1alpha1.ReasonAdapterNotFound, "there is no adapter sms"))
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGroupNotReady, "order-paid-push", "there is no adapter sms")
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionConsumersReady, metav1.ConditionFalse, v1alpha1.ReasonGroupNotReady)

	say(result.Result{})
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionConsumersReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	want := []v1alpha1.FlowConsumerStatus{{Name: "push", GroupName: "order-paid-push", Ready: metav1.ConditionTrue, Reason: "Ready", Lag: new(int64(7)), ReadyReplicas: 2}}
	if diff := cmp.Diff(want, flow.Status.Consumers); diff != "" {
		t.Errorf("consumers (-want +got):\n%s", diff)
	}
	if got := flow.Status.ReadyConsumers; got != "1/1" {
		t.Errorf("readyConsumers is %q, want 1/1", got)
	}
}

func TestReplicasBelongToWhoeverScales(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	group := w.Group("order-paid-push", "")
	w.Read(t, group)
	scaled := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":3}}`))
	if err := w.Patch(t.Context(), group, scaled, client.FieldOwner("kubectl-scale")); err != nil {
		t.Fatal(err)
	}
	w.step(t, flow)
	if w.Read(t, group); group.Spec.Replicas == nil || *group.Spec.Replicas != 3 {
		t.Errorf("replicas are %v after a reconcile, want the 3 that were set by hand", group.Spec.Replicas)
	}
}

func TestARemovedConsumerTakesItsGroupWithIt(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	second := v1alpha1.FlowConsumer{Name: "credit", ConsumerTemplate: suite.Consumer("credit_group")}
	flow.Spec.Consumers = append(flow.Spec.Consumers, second)
	w.Create(t, flow)
	w.settle(t, flow)
	flow.Spec.Consumers = flow.Spec.Consumers[:1]
	w.Write(t, flow)
	w.step(t, flow)
	groups := &v1alpha1.MQConsumerGroupList{}
	if err := w.List(t.Context(), groups, client.InNamespace(w.Namespace)); err != nil {
		t.Fatal(err)
	}
	if len(groups.Items) != 1 || groups.Items[0].Name != "order-paid-push" {
		t.Errorf("%d groups are left, want order-paid-push alone", len(groups.Items))
	}
}

func TestATopicIsKeptAsDeclared(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)

	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: rocketmq.PermRead})
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 2, 2) // verified a moment ago
	w.later = 2 * VerifyEvery
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 4, 4)
	config, err := w.admin(t).TopicConfig(t.Context(), w.mq.Broker().Addr(), w.topic())
	if err != nil || config.Perm != readWrite {
		t.Errorf("the permission is %d, want it put right (%v)", config.Perm, err)
	}

	flow.Spec.Topic.QueuesPerBroker = 6
	w.Write(t, flow)
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 6, 6)
}

func TestATopicIsMadeWithItsType(t *testing.T) {
	for _, kind := range []v1alpha1.MessageType{v1alpha1.MessageFIFO, v1alpha1.MessageDelay, v1alpha1.MessageTransaction} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t)
			flow := w.Flow("order-paid", w.topic())
			flow.Spec.Topic.MessageType = kind
			w.Create(t, flow)
			w.settle(t, flow)
			suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
			topic, err := w.admin(t).TopicConfig(t.Context(), w.mq.Broker().Addr(), w.topic())
			if want := strings.ToUpper(string(kind)); err != nil || topic.Attributes["message.type"] != want {
				t.Errorf("the broker has %v, %v; want type %s", topic.Attributes, err, want)
			}
		})
	}
}

func TestATopicWithMoreQueuesThanDeclaredKeepsThem(t *testing.T) {
	w := newWorld(t)
	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 9, WriteQueues: 9, Perm: readWrite})
	flow := w.Flow("order-paid", w.topic())
	flow.Spec.Topic.AdoptionPolicy = v1alpha1.AdoptionAdopt
	w.Create(t, flow)
	w.settle(t, flow)
	w.wantQueues(t, w.topic(), 9, 9)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "18 queues")
	if events := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "Normal TopicAdopted") }) {
		t.Errorf("no event says that the topic was taken over: %q", events)
	}
}

func TestABindingThatIsRenamedLeavesNoneBehind(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	flow.Spec.Producer.BindingSecretName = "orders"
	w.Write(t, flow)
	w.step(t, flow)
	if w.secret(t, "orders") == nil || w.secret(t, "order-paid-producer") != nil {
		t.Error("want the Secret under its new name alone")
	}
	if flow.Status.Binding == nil || flow.Status.Binding.Name != "orders" {
		t.Errorf("status.binding is %v", flow.Status.Binding)
	}
}

func TestTheBindingHasTheKeyOfAClusterWithAccessControl(t *testing.T) {
	w := newWorld(t)
	w.Create(t, w.Credential("acl", "127.0.0.1", map[string]string{"access-key": "orderflow", "secret-key": "hidden"}))
	w.Read(t, w.cluster)
	w.cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "acl"}}
	w.Write(t, w.cluster)
	w.cluster.Status.ObservedGeneration = w.cluster.Generation
	if err := w.Status().Update(t.Context(), w.cluster); err != nil {
		t.Fatal(err)
	}
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	data := w.secret(t, "order-paid-producer").Data
	if string(data["access-key"]) != "orderflow" || string(data["secret-key"]) != "hidden" {
		t.Error("the binding lacks the access key")
	}
	if _, has := data["security-token"]; has {
		t.Error("the binding has a token that the cluster's Secret does not have")
	}
}

func TestATopicIsLookedAtAgainOnDemand(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)

	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: rocketmq.PermRead})
	flow.Annotations = map[string]string{v1alpha1.ReconcileAtAnnotation: "10:15"}
	w.Write(t, flow)
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 4, 4) // although it was verified a moment ago
	if got := flow.Status.LastHandledReconcileAt; got != "10:15" {
		t.Errorf("the status says %q", got)
	}
	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: rocketmq.PermRead})
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 2, 2) // it was heard
}
