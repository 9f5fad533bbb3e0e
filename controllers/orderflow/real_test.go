// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// TestARealBrokerHasWhatIsDeclared grows a topic under an Orderly group and closes it to either side.
func TestARealBrokerHasWhatIsDeclared(t *testing.T) {
	mq := broker.Own(t, rocketmq.Options{})
	w := &world{Suite: suite.New(t)}
	w.cluster = w.Cluster(mq.NameServer())
	addr := mq.BrokerAddr(rocketmq.DefaultBroker)
	w.cluster.Status.Identity, w.cluster.Status.ClusterName, w.cluster.Status.ObservedGeneration = "real-"+w.Namespace, rocketmq.ClusterName, 1
	w.cluster.Status.Brokers = []v1alpha1.BrokerStatus{{Name: rocketmq.DefaultBroker, Address: addr}}
	condition.Set(&w.cluster.Status.Conditions, 1, w.Now(), condition.Summary("reached")...)
	w.Create(t, w.cluster)
	flow := w.Flow("order-paid", w.topic())
	consume := &flow.Spec.Consumers[0].Consume
	consume.Order, consume.OrderKeyExpression = v1alpha1.ConsumeOrderly, "order.id"
	w.Create(t, flow)
	w.settle(t, flow)
	admin := w.admin(t)
	queue := remoting.Queue{Topic: w.topic(), Broker: rocketmq.DefaultBroker}
	send := func() error {
		_, err := admin.Send(t.Context(), addr, remoting.SendRequest{Group: "test", Queue: queue, Messages: []remoting.OutMessage{{Body: []byte("{}")}}})
		return err
	}
	pull := func() error {
		_, err := admin.Pull(t.Context(), addr, remoting.PullRequest{Group: "push_consumer_group", Queue: queue, MaxMessages: 1, Subscription: remoting.Subscription{Topic: w.topic(), Expression: "*"}})
		return err
	}
	commit := func(offset int64) {
		t.Helper()
		if err := admin.CommitOffset(t.Context(), addr, "push_consumer_group", queue, offset); err != nil {
			t.Fatal(err)
		}
	}
	has := func(queues, permission int) {
		t.Helper()
		topic, err := admin.TopicConfig(t.Context(), addr, w.topic())
		if err != nil || topic.ReadQueues != queues || topic.WriteQueues != queues || topic.Perm != permission {
			t.Errorf("the broker has %+v, %v; want %d queues and permission %d", topic, err, queues, permission)
		}
	}
	if err := admin.PutGroup(t.Context(), addr, remoting.NewGroupConfig("push_consumer_group")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); send() != nil; time.Sleep(100 * time.Millisecond) { // while it has just started
		if time.Now().After(deadline) {
			t.Fatal(send())
		}
	}
	commit(0)
	if err := pull(); err != nil {
		t.Fatal(err)
	}
	installation.Within(t, time.Minute, "the broker shows the message", func() bool {
		end, err := admin.MaxOffset(t.Context(), addr, queue)
		return err == nil && end == 1
	})

	w.grow(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionFalse, v1alpha1.ReasonGrowthRefused, "has 1 messages to handle")
	has(4, readWrite)
	commit(1)
	w.step(t, flow)
	has(6, readWrite)

	for permission, want := range map[v1alpha1.TopicPermission]struct{ bits, toSend, toRead int }{
		v1alpha1.TopicRead: {bits: remoting.PermRead, toRead: 6}, v1alpha1.TopicWrite: {bits: remoting.PermWrite, toSend: 6},
	} {
		flow.Spec.Topic.Permission = permission
		w.Write(t, flow)
		w.step(t, flow)
		suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		has(6, want.bits)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // until the name server was told
			route, err := admin.Route(t.Context(), w.topic())
			if err != nil {
				t.Fatal(err)
			}
			if len(route.Writable(w.topic())) == want.toSend && len(route.Readable(w.topic())) == want.toRead {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("with permission %s the name server has %+v", permission, route)
			}
		}
		if err := pull(); (err == nil) != (want.toRead > 0) {
			t.Errorf("with permission %s consuming ends with %v", permission, err)
		}
	}
}
