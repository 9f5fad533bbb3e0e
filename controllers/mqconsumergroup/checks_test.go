// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// warehouse makes the group call the adapters in turn.
func warehouse(seen *inputs, adapters ...string) {
	h := &v1alpha1.WarehouseHandler{}
	for i, name := range adapters {
		h.Steps = append(h.Steps, v1alpha1.WarehouseStep{
			Name: string(rune('a' + i)), Action: v1alpha1.WarehouseCreateWaybill, AdapterRef: v1alpha1.LocalObjectReference{Name: name},
		})
	}
	seen.group.Spec.Handler = v1alpha1.Handler{Type: v1alpha1.HandlerWarehouse, Warehouse: h}
}

// ignoring is an adapter whose third party ignores idempotency keys.
func ignoring(seen *inputs, name string) {
	a := sms()
	a.Name, a.Spec.Idempotency.Keys = name, v1alpha1.KeyIgnored
	seen.adapters[name] = a
}

func TestCheck(t *testing.T) {
	for sentence, test := range map[string]struct {
		change func(*inputs)
		state  result.State
		reason string
		says   string
	}{
		"all is there": {func(*inputs) {}, result.Done, "", ""},
		"the cluster does not exist": {func(seen *inputs) { seen.cluster = nil },
			result.Stalled, v1alpha1.ReasonClusterNotFound, `no MQCluster "mq"`},
		"the cluster is not ready": {func(seen *inputs) { seen.cluster.Status.Conditions = nil },
			result.Unknown, v1alpha1.ReasonClusterNotReady, "MQCluster mq"},
		"the adapter does not exist": {func(seen *inputs) { delete(seen.adapters, "sms") },
			result.Stalled, v1alpha1.ReasonAdapterNotFound, `handler.push.adapterRef names ThirdPartyAdapter "sms", which does not exist`},
		"the adapter is stalled": {func(seen *inputs) {
			seen.adapters["sms"].Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: "SecretNotFound", Message: "no Secret x"}}
		}, result.Stalled, v1alpha1.ReasonAdapterNotReady, "sms is stalled: SecretNotFound: no Secret x"},
		"the adapter was edited and not looked at yet": {func(seen *inputs) { seen.adapters["sms"].Generation++ },
			result.Waiting, v1alpha1.ReasonAdapterNotReady, "waiting for ThirdPartyAdapter sms"},
		"an expression does not compile": {func(seen *inputs) { seen.group.Spec.Handler.Push.ToExpression = "order.phone +" },
			result.Stalled, v1alpha1.ReasonInvalidExpression, "handler.push.toExpression"},
		"an expression has the wrong type": {func(seen *inputs) { seen.group.Spec.Handler.WhenExpression = "'yes'" },
			result.Stalled, v1alpha1.ReasonInvalidExpression, "handler.whenExpression"},
		"what age is counted from does not compile": {func(seen *inputs) { seen.group.Spec.Expiry = &v1alpha1.Expiry{SinceExpression: "order.paidAt +"} },
			result.Stalled, v1alpha1.ReasonInvalidExpression, "expiry.sinceExpression: column 15: Syntax error"},
		"what age is counted from is no time": {func(seen *inputs) { seen.group.Spec.Expiry = &v1alpha1.Expiry{SinceExpression: "message.attempt"} },
			result.Stalled, v1alpha1.ReasonInvalidExpression, "expiry.sinceExpression: yields int, not timestamp"},
		"a step before the last cannot be repeated": {func(seen *inputs) {
			ignoring(seen, "depot")
			warehouse(seen, "depot", "sms")
		}, result.Stalled, v1alpha1.ReasonUnsafeSteps, "handler.warehouse.steps[a] is not the last step and calls ThirdPartyAdapter depot"},
		"a step before the last can be asked about": {func(seen *inputs) {
			ignoring(seen, "depot")
			seen.adapters["depot"].Spec.Idempotency.StatusQuery = &v1alpha1.StatusQuery{}
			warehouse(seen, "depot", "sms")
		}, result.Done, "", ""},
		"the last step may ignore keys": {func(seen *inputs) {
			ignoring(seen, "depot")
			warehouse(seen, "sms", "depot")
		}, result.Done, "", ""},
		"an older object declares the group": {func(seen *inputs) {
			seen.claims = append(seen.claims, claim.Claim{Object: types.NamespacedName{Namespace: "old", Name: "sms"}, UID: "x", Created: noon.Add(-1)})
		}, result.Stalled, v1alpha1.ReasonConflict, "belongs to MQConsumerGroup old/sms"},
		"a younger object declares the group": {func(seen *inputs) {
			seen.claims = append(seen.claims, claim.Claim{Object: types.NamespacedName{Namespace: "new", Name: "sms"}, UID: "x", Created: noon.Add(1)})
		}, result.Done, "", ""},
		"a broker does not answer": {func(seen *inputs) {
			seen.reached = result.Fail(v1alpha1.ReasonBrokerUnreachable, errors.New("connection refused"), "reading topic Orders")
		}, result.Unknown, v1alpha1.ReasonBrokerUnreachable, "connection refused"},
		"the topic does not exist": {func(seen *inputs) { seen.broker.topic = nil },
			result.Stalled, v1alpha1.ReasonTopicNotFound, "topic Orders does not exist"},
		"the topic is on its way": {func(seen *inputs) {
			seen.broker.topic, seen.flow = nil, &v1alpha1.OrderFlow{ObjectMeta: metav1.ObjectMeta{Name: "order-paid"}}
		}, result.Waiting, v1alpha1.ReasonProgressing, "waiting for OrderFlow order-paid to make topic Orders"},
		"the flow may not make the topic": {func(seen *inputs) {
			seen.broker.topic, seen.flow = nil, &v1alpha1.OrderFlow{Status: v1alpha1.OrderFlowStatus{Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionTopicReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNameReserved},
			}}}
		}, result.Stalled, v1alpha1.ReasonTopicNotFound, "Orders"},
		"who was to make the topic cannot": {func(seen *inputs) {
			seen.broker.topic, seen.flow = nil, &v1alpha1.OrderFlow{Status: v1alpha1.OrderFlowStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionTopicReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonConflict}}}}
		}, result.Stalled, v1alpha1.ReasonTopicNotFound, "topic Orders does not exist"},
		"who is to make the topic is held up by another consumer": {func(seen *inputs) {
			seen.broker.topic, seen.flow = nil, &v1alpha1.OrderFlow{Status: v1alpha1.OrderFlowStatus{Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue}, {Type: v1alpha1.ConditionTopicReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonBrokerRefused},
			}}}
		}, result.Waiting, v1alpha1.ReasonProgressing, "to make topic Orders"},
		"the topic that was made is gone": {func(seen *inputs) {
			seen.broker.topic, seen.flow = nil, &v1alpha1.OrderFlow{Status: v1alpha1.OrderFlowStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionTopicReady, Status: metav1.ConditionTrue}}}}
		}, result.Stalled, v1alpha1.ReasonTopicNotFound, "topic Orders does not exist"},
		"a broker does not filter by properties": {func(seen *inputs) {
			seen.broker.refusals = map[string]error{"broker-b": fmt.Errorf("%w: no", rocketmq.ErrNoFilter)}
		}, result.Stalled, v1alpha1.ReasonFilterDisabled, "broker broker-b does not filter by properties: set enablePropertyFilter=true"},
		"a broker cannot read the subscription": {func(seen *inputs) {
			seen.broker.refusals = map[string]error{"broker-a": fmt.Errorf("%w: column 9", rocketmq.ErrExpression)}
		}, result.Stalled, v1alpha1.ReasonInvalidSubscription, "broker broker-a cannot read subscription.sql92.expression: correct it; it says the expression cannot be read: column 9"},
		"as many pods as queues": {func(seen *inputs) { seen.group.Spec.Replicas = new(int32(8)) }, result.Done, "", ""},
		"more replicas than queues": {func(seen *inputs) { seen.group.Spec.Replicas = new(int32(9)) },
			result.Stalled, v1alpha1.ReasonTooFewQueues, "replicas is 9, but topic Orders has 8 queues"},
		"a maximum above the queues": {func(seen *inputs) {
			seen.group.Spec.Replicas, seen.group.Spec.Scaling = nil, &v1alpha1.Scaling{MaxReplicas: 20}
		}, result.Stalled, v1alpha1.ReasonTooFewQueues, "scaling.maxReplicas is 20"},
		"what is wrong with the cluster comes before what follows from it": {func(seen *inputs) {
			seen.cluster, seen.adapters = nil, nil
		}, result.Stalled, v1alpha1.ReasonClusterNotFound, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			test.change(seen)
			got := check(seen)
			if got.State != test.state || got.Reason != test.reason || !strings.Contains(got.Message, test.says) {
				t.Errorf("got state %d, reason %q: %q\nwant state %d, reason %q, with %q", got.State, got.Reason, got.Message, test.state, test.reason, test.says)
			}
		})
	}
}

func TestAGroupKnowsItsPodsByTheNameThatKubernetesCuts(t *testing.T) {
	for _, length := range []int{1, 57, 58, 61} {
		seen := ready()
		seen.group.Name = strings.Repeat("a", length)
		replicaSet := seen.group.Name + "-7d9f85c4b6-"
		pod := replicaSet[:min(len(replicaSet), 58)] + "x2x4b" // as names.SimpleNameGenerator of k8s.io/apiserver makes it
		seen.broker.members = []string{worker.ClientID("shop", pod)}
		if ids := foreign(seen); len(ids) != 0 {
			t.Errorf("with a name of %d characters its own pod %s is a stranger", length, pod)
		}
	}
}

func TestForeignMembersAreThoseThatAreNotTheGroupsPods(t *testing.T) {
	seen := ready()
	seen.broker.members = []string{
		worker.ClientID("shop", "push-7d9f-abcde"), worker.ClientID("shop", "push-7d9f-fghij") + "#2",
		worker.ClientID("shop", "credit-7d9f-abcde"), worker.ClientID("other", "push-7d9f-abcde"), "10.0.0.1@1234",
	}
	got := strings.Join(foreign(seen), " ")
	if want := "shop/credit-7d9f-abcde other/push-7d9f-abcde 10.0.0.1@1234"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
