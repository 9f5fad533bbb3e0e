// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/patience"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// doomed is a settled flow with deletionPolicy Delete that somebody deletes.
func doomed(t *testing.T, w *world) *v1alpha1.OrderFlow {
	t.Helper()
	flow := w.Flow("order-paid", w.topic())
	flow.Spec.Topic.DeletionPolicy = v1alpha1.DeletionDelete
	w.Create(t, flow)
	w.settle(t, flow)
	return flow
}

func (w *world) delete(t *testing.T, flow *v1alpha1.OrderFlow) {
	t.Helper()
	if err := w.Delete(t.Context(), flow); err != nil {
		t.Fatal(err)
	}
	w.step(t, flow)
}

func (w *world) gone(t *testing.T, flow *v1alpha1.OrderFlow) bool {
	t.Helper()
	err := w.Get(t.Context(), client.ObjectKeyFromObject(flow), flow)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return apierrors.IsNotFound(err)
}

// send stores a message in queue 0 of the first broker.
func (w *world) send(t *testing.T, topic string) {
	t.Helper()
	queue := rocketmq.Queue{Topic: topic, Broker: w.mq.Broker().Name()}
	message := rocketmq.SendRequest{Group: "test", Queue: queue, Messages: []rocketmq.OutMessage{{Body: []byte("{}")}}}
	if _, err := w.admin(t).Send(t.Context(), w.mq.Broker().Addr(), message); err != nil {
		t.Fatal(err)
	}
}

func (w *world) commit(t *testing.T, group, topic string, offset int64) {
	t.Helper()
	queue := rocketmq.Queue{Topic: topic, Broker: w.mq.Broker().Name()}
	if err := w.admin(t).CommitOffset(t.Context(), w.mq.Broker().Addr(), group, queue, offset); err != nil {
		t.Fatal(err)
	}
}

func TestARetainedTopicOutlivesItsFlow(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	if len(flow.Finalizers) > 0 {
		t.Errorf("a flow that retains its topic has the finalizers %v", flow.Finalizers)
	}
	w.delete(t, flow)
	if !w.gone(t, flow) {
		t.Error("the flow is still there")
	}
	w.wantQueues(t, w.topic(), 4, 4)
}

func TestADeletedFlowTakesItsTopicWithIt(t *testing.T) {
	w := newWorld(t)
	flow := doomed(t, w)
	w.delete(t, flow)
	if !w.gone(t, flow) {
		t.Errorf("the flow is still there: %v", flow.Status.Conditions)
	}
	w.wantQueues(t, w.topic(), -1, -1)
	names, err := w.admin(t).TopicNames(t.Context())
	if err != nil || slices.Contains(names, w.topic()) {
		t.Errorf("the name server still lists the topic (%v)", err)
	}
}

func TestATopicWithUnconsumedMessagesIsNotDeleted(t *testing.T) {
	for sentence, messages := range map[string]struct {
		make    func(*testing.T, *world)
		message string
		settle  func(*testing.T, *world)
	}{
		"that no group has consumed": {
			make:    func(t *testing.T, w *world) { w.send(t, w.topic()) },
			message: "1 messages that no group has consumed",
			settle:  func(t *testing.T, w *world) { w.commit(t, "push_consumer_group", w.topic(), 1) },
		},
		"that one group has yet to handle": {
			make: func(t *testing.T, w *world) {
				w.send(t, w.topic())
				w.send(t, w.topic())
				w.commit(t, "push_consumer_group", w.topic(), 1)
				w.commit(t, "credit_group", w.topic(), 2)
			},
			message: "group push_consumer_group has 1 messages to handle, retries included: MQConsumerGroup",
			settle:  func(t *testing.T, w *world) { w.commit(t, "push_consumer_group", w.topic(), 2) },
		},
		"that wait for a retry": {
			make: func(t *testing.T, w *world) {
				retry := rocketmq.RetryTopic("push_consumer_group")
				w.put(t, rocketmq.TopicConfig{Name: retry, ReadQueues: 1, WriteQueues: 1, Perm: readWrite})
				w.send(t, w.topic())
				w.send(t, retry)
				w.commit(t, "push_consumer_group", w.topic(), 1)
			},
			message: "group push_consumer_group has 1 messages",
			settle: func(t *testing.T, w *world) {
				w.commit(t, "push_consumer_group", rocketmq.RetryTopic("push_consumer_group"), 1)
			},
		},
		"that a group left, which nobody declares": {
			make: func(t *testing.T, w *world) {
				w.send(t, w.topic())
				w.commit(t, "console_group", w.topic(), 0)
				w.commit(t, "push_consumer_group", w.topic(), 0)
			},
			message: "no MQConsumerGroup declares it: let its consumers finish, or, if nobody uses it any more, run mqadmin deleteSubGroup -c DefaultCluster -g console_group -r true",
			settle: func(t *testing.T, w *world) {
				w.commit(t, "console_group", w.topic(), 1)
				w.commit(t, "push_consumer_group", w.topic(), 1)
			},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			flow := doomed(t, w)
			messages.make(t, w)
			w.delete(t, flow)
			w.later = patience.Limit + time.Minute // messages are waited for however long it takes
			w.step(t, flow)
			suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMessagesUnconsumed,
				messages.message, "set spec.topic.deletionPolicy to Retain")
			suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionConsumersReady, metav1.ConditionUnknown, v1alpha1.ReasonDeleting)
			w.wantQueues(t, w.topic(), 4, 4)
			messages.settle(t, w)
			w.step(t, flow)
			if !w.gone(t, flow) {
				t.Errorf("the flow is still there although all is consumed: %v", flow.Status.Conditions)
			}
			w.wantQueues(t, w.topic(), -1, -1)
		})
	}
}

func TestDeadLettersDoNotKeepATopic(t *testing.T) {
	w := newWorld(t)
	flow := doomed(t, w)
	dead := rocketmq.DeadLetterTopic("push_consumer_group")
	w.put(t, rocketmq.TopicConfig{Name: dead, ReadQueues: 1, WriteQueues: 1, Perm: readWrite})
	w.send(t, dead)
	w.commit(t, "push_consumer_group", w.topic(), 0)
	w.delete(t, flow)
	if !w.gone(t, flow) {
		t.Errorf("the flow is still there: %v", flow.Status.Conditions)
	}
	w.wantQueues(t, w.topic(), -1, -1)
	w.wantQueues(t, dead, 1, 1)
}

func TestATopicThatIsAnOlderFlowsIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	older, younger := w.Flow("order-paid", w.topic()), w.Flow("order-paid-again", w.topic())
	w.Create(t, older, younger)
	if claim.Winner([]claim.Claim{claimOf(older), claimOf(younger)}).UID == younger.UID { // made in the same second
		older, younger = younger, older
	}
	w.settle(t, older)
	younger.Spec.Topic.DeletionPolicy = v1alpha1.DeletionDelete
	w.Write(t, younger)
	w.step(t, younger)
	younger.Status.Topic = older.Status.Topic // both claimed it while their MQClusters were not known to be one
	if err := w.Status().Update(t.Context(), younger); err != nil {
		t.Fatal(err)
	}
	w.Events()
	w.delete(t, younger)
	if events := w.Events(); !w.gone(t, younger) || len(events) != 1 || !strings.Contains(events[0], "OrderFlow "+older.Namespace+"/"+older.Name+" declares it as well") {
		t.Errorf("events are %q, want one that the topic is the older flow's", events)
	}
	w.wantQueues(t, w.topic(), 4, 4)
}

func TestRetainLetsADeletedFlowGoAtOnce(t *testing.T) {
	w := newWorld(t)
	flow := doomed(t, w)
	w.send(t, w.topic())
	w.delete(t, flow)
	flow.Spec.Topic.DeletionPolicy = v1alpha1.DeletionRetain
	w.Write(t, flow)
	w.step(t, flow)
	if !w.gone(t, flow) {
		t.Error("the flow is still there")
	}
	w.wantQueues(t, w.topic(), 4, 4)
}

func TestAFlowWhoseBrokersAreGoneGoesAfterAWhile(t *testing.T) {
	w := newWorld(t)
	flow := doomed(t, w)
	w.mq.Inject(fake.Fault{Cut: true})
	w.delete(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonNameServerUnreachable,
		"after 10m0s the OrderFlow goes without", "set spec.topic.deletionPolicy to Retain")
	w.Events()
	w.later = patience.Limit + time.Minute
	w.step(t, flow)
	if !w.gone(t, flow) {
		t.Error("the flow is still there")
	}
	if events := w.Events(); len(events) != 1 || !strings.HasPrefix(events[0], "Warning TopicLeftBehind") {
		t.Errorf("events are %q, want a warning that the topic is left behind", events)
	}
}

func TestATopicStaysWhileAMasterIsLost(t *testing.T) {
	w := newWorld(t)
	flow := doomed(t, w)
	lost := w.mq.Brokers()[1]
	lost.Stop() // the MQCluster is Ready still: it is looked at once a minute
	w.delete(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBrokerUnreachable, "dropped broker "+lost.Name())
	if err := lost.Start(); err != nil {
		t.Fatal(err)
	}
	w.wantQueues(t, w.topic(), 4, 4)
	w.step(t, flow)
	if !w.gone(t, flow) {
		t.Errorf("the flow is still there although the broker is back: %v", flow.Status.Conditions)
	}
}

func TestAShortOutageAfterALongWaitDoesNotLeaveATopicBehind(t *testing.T) {
	w := newWorld(t)
	flow := doomed(t, w)
	w.send(t, w.topic())
	w.delete(t, flow)
	w.later = patience.Limit + time.Hour
	w.step(t, flow)
	w.mq.Inject(fake.Fault{Cut: true})
	w.step(t, flow)
	if w.gone(t, flow) {
		t.Fatal("the flow went at the first call that failed")
	}
	w.mq.Heal()
	w.step(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMessagesUnconsumed)
}

func TestATopicOnAnotherClusterIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	flow := doomed(t, w)
	w.Read(t, w.cluster)
	w.cluster.Status.Identity = "another"
	if err := w.Status().Update(t.Context(), w.cluster); err != nil {
		t.Fatal(err)
	}
	w.delete(t, flow)
	if !w.gone(t, flow) {
		t.Error("the flow is still there")
	}
	w.wantQueues(t, w.topic(), 4, 4)
}
