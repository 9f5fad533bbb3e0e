// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// orderly is a settled flow whose group push_consumer_group is Orderly and has one message of two to handle.
func orderly(t *testing.T, w *world, change func(*v1alpha1.OrderFlow)) *v1alpha1.OrderFlow {
	t.Helper()
	flow := w.Flow("order-paid", w.topic())
	consume := &flow.Spec.Consumers[0].Consume
	consume.Order, consume.OrderKeyExpression = v1alpha1.ConsumeOrderly, "order.id"
	if change != nil {
		change(flow)
	}
	w.Create(t, flow)
	w.settle(t, flow)
	w.send(t, w.topic())
	w.send(t, w.topic())
	w.commit(t, "push_consumer_group", w.topic(), 1)
	return flow
}

func (w *world) grow(t *testing.T, flow *v1alpha1.OrderFlow) {
	t.Helper()
	flow.Spec.Topic.QueuesPerBroker = 6
	w.Write(t, flow)
	w.step(t, flow)
}

func TestATopicDoesNotGrowUnderAnOrderlyGroupThatHasMessages(t *testing.T) {
	w := newWorld(t)
	flow := orderly(t, w, nil)
	w.grow(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionFalse, v1alpha1.ReasonGrowthRefused,
		"6 queues on broker-a, broker-b", "Orderly group push_consumer_group has 1 messages to handle", w.Namespace+"/order-paid-push", "growthPolicy to AcceptReorder")
	w.wantQueues(t, w.topic(), 4, 4)
	if flow.Status.Topic.Queues != 8 || flow.Status.Topic.Brokers != 0 {
		t.Errorf("the status shows %d queues, on %d brokers as declared; want 8 and 0", flow.Status.Topic.Queues, flow.Status.Topic.Brokers)
	}
	w.commit(t, "push_consumer_group", w.topic(), 2)
	w.step(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "12 queues")
	w.wantQueues(t, w.topic(), 6, 6)
}

func TestWhatLetsATopicGrowAtOnce(t *testing.T) {
	for sentence, change := range map[string]func(*v1alpha1.OrderFlow){
		"growthPolicy accepts another order": func(flow *v1alpha1.OrderFlow) { flow.Spec.Topic.GrowthPolicy = v1alpha1.GrowthAcceptReorder },
		"no group keeps an order": func(flow *v1alpha1.OrderFlow) {
			flow.Spec.Consumers[0].Consume = v1alpha1.Consume{Order: v1alpha1.ConsumeConcurrently}
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.grow(t, orderly(t, w, change))
			w.wantQueues(t, w.topic(), 6, 6)
		})
	}
}

func TestATopicDoesNotGrowWhileNobodyKnowsWhatIsLeft(t *testing.T) {
	w := newWorld(t)
	flow := orderly(t, w, nil)
	w.commit(t, "push_consumer_group", w.topic(), 2)
	w.mq.Inject(fake.Fault{Op: rocketmq.OpAllOffsets, Host: "broker-b", Cut: true})
	w.grow(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionUnknown, v1alpha1.ReasonBrokerUnreachable,
		"gets no more queues on broker-a, broker-b", "what its Orderly groups have yet to handle", "broker-b")
	w.wantQueues(t, w.topic(), 4, 4)
	w.mq.Heal()
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 6, 6)
}

func TestANewBrokerGetsTheTopicWhenNoOrderIsLost(t *testing.T) {
	w := newWorld(t)
	second := w.mq.Brokers()[1]
	all := w.cluster.Status.Brokers
	second.Stop() // it is to be new
	w.cluster.Status.Brokers = all[:1]
	w.update(t)
	flow := orderly(t, w, nil)
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	w.Read(t, w.cluster)
	w.cluster.Status.Brokers = append(w.cluster.Status.Brokers, v1alpha1.BrokerStatus{Name: second.Name(), Address: second.Addr()})
	w.update(t)

	w.step(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionFalse, v1alpha1.ReasonGrowthRefused, "4 queues on broker-b")
	w.wantQueues(t, w.topic(), 4, -1)
	w.commit(t, "push_consumer_group", w.topic(), 2)
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 4, 4)
}

func TestWhatIsPutBackMovesNoKey(t *testing.T) {
	for sentence, lose := range map[string]func(*testing.T, *world){
		"somebody deleted the topic on one broker": func(t *testing.T, w *world) {
			if err := w.admin(t).DeleteTopic(t.Context(), w.mq.Brokers()[1].Addr(), w.topic()); err != nil {
				t.Fatal(err)
			}
		},
		"somebody made it anew with fewer queues": func(t *testing.T, w *world) {
			w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: readWrite})
		},
		"somebody lets nobody read all queues": func(t *testing.T, w *world) {
			w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 4, Perm: readWrite})
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			flow := orderly(t, w, nil)
			lose(t, w)
			w.later = 2 * VerifyEvery
			w.step(t, flow)
			suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "8 queues")
			w.wantQueues(t, w.topic(), 4, 4)
		})
	}
}

func TestWhatIsPutBackHasAsManyQueuesAsItHad(t *testing.T) {
	w := newWorld(t)
	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 9, WriteQueues: 9, Perm: readWrite})
	flow := orderly(t, w, func(flow *v1alpha1.OrderFlow) { flow.Spec.Topic.AdoptionPolicy = v1alpha1.AdoptionAdopt })
	if err := w.admin(t).DeleteTopic(t.Context(), w.mq.Broker().Addr(), w.topic()); err != nil {
		t.Fatal(err)
	}
	w.later = 2 * VerifyEvery
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 9, 9)
}

func TestAQueueThatTakesMessagesIsRead(t *testing.T) {
	w := newWorld(t)
	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 4, WriteQueues: 9, Perm: readWrite})
	flow := w.Flow("order-paid", w.topic())
	flow.Spec.Topic.AdoptionPolicy = v1alpha1.AdoptionAdopt
	w.Create(t, flow)
	w.settle(t, flow)
	w.wantQueues(t, w.topic(), 9, 9)
}

func TestATopicHasItsPermissionOnEveryBroker(t *testing.T) {
	for permission, want := range map[v1alpha1.TopicPermission]struct {
		bits int
		says string
	}{
		v1alpha1.TopicRead:      {rocketmq.PermRead, "takes no new message"},
		v1alpha1.TopicWrite:     {rocketmq.PermWrite, "nobody consumes it"},
		v1alpha1.TopicReadWrite: {readWrite, "read back as declared"},
	} {
		t.Run(string(permission), func(t *testing.T) {
			w := newWorld(t)
			flow := w.Flow("order-paid", w.topic())
			w.Create(t, flow)
			w.settle(t, flow)
			flow.Spec.Topic.Permission = permission
			w.Write(t, flow)
			w.step(t, flow)
			suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady, want.says)
			for _, b := range w.mq.Brokers() {
				topic, err := w.admin(t).TopicConfig(t.Context(), b.Addr(), w.topic())
				if err != nil || topic.Perm != want.bits || topic.WriteQueues != 4 {
					t.Errorf("%s has %+v, %v; want permission %d", b.Name(), topic, err, want.bits)
				}
			}
		})
	}
}

func TestATopicThatNobodyMayReadIsNotDeletedUnread(t *testing.T) {
	w := newWorld(t)
	flow := doomed(t, w)
	w.send(t, w.topic())
	w.commit(t, "push_consumer_group", w.topic(), 0)
	flow.Spec.Topic.Permission = v1alpha1.TopicWrite
	w.Write(t, flow)
	w.step(t, flow)
	w.delete(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMessagesUnconsumed,
		"spec.topic.permission is Write: set it to Read")
}

func TestATopicThatSomebodyDeletedIsMadeAnewAndSaid(t *testing.T) {
	w := newWorld(t)
	flow := orderly(t, w, nil)
	w.Events()
	if err := w.admin(t).DeleteTopic(t.Context(), w.mq.Broker().Addr(), w.topic()); err != nil {
		t.Fatal(err)
	}
	w.later = 2 * VerifyEvery
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 4, 4)
	events := w.Events()
	if !slices.ContainsFunc(events, func(e string) bool {
		return strings.HasPrefix(e, "Warning TopicGone topic "+w.topic()+" was gone from broker-a, with the messages")
	}) {
		t.Errorf("events are %q, want one that the topic was deleted", events)
	}
}
