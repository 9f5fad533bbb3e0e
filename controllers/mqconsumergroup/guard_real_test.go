// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// onReal is a world whose cluster is a real RocketMQ with the topic Orders, and whose group's pods are ready.
func onReal(t *testing.T) *world {
	mq := broker.Own(t, rocketmq.Options{})
	w := newWorld(t, nil)
	names, err := remoting.NewCluster(w.client, []string{mq.NameServer()}, nil)
	w.must(err)
	masters, err := names.Masters(t.Context(), "")
	w.must(err)
	w.real = masters[0].Master()
	w.must(w.client.PutTopic(t.Context(), w.real, remoting.TopicConfig{Name: "Orders", ReadQueues: topicQueues, WriteQueues: topicQueues, Perm: remoting.PermRead | remoting.PermWrite}))
	config, err := w.client.BrokerConfig(t.Context(), w.real)
	w.must(err)
	retention, told := config.Retention()
	if !told || config[remoting.DeleteWhen] == "" {
		t.Fatalf("the broker does not say for how long it keeps messages: %q at %q", config[remoting.ReservedHours], config[remoting.DeleteWhen])
	}
	w.cluster.Spec.NameServers = []string{mq.NameServer()}
	w.Write(t, w.cluster)
	w.cluster.Status.ObservedGeneration = w.cluster.Generation
	w.cluster.Status.Brokers = []v1alpha1.BrokerStatus{{
		Name: masters[0].Name, Address: w.real, DelayLevels: config[remoting.DelayLevels], Retention: &metav1.Duration{Duration: retention}, DeleteWhen: config[remoting.DeleteWhen],
	}}
	w.must(w.Status().Update(t.Context(), w.cluster))
	return w
}

func TestARealBrokerTellsWhichMessageHoldsAQueueAndWhenItWillBeDeleted(t *testing.T) {
	w := onReal(t)
	queue := remoting.Queue{Topic: "Orders", Broker: w.cluster.Status.Brokers[0].Name, ID: 1}
	send := func(id string) {
		t.Helper()
		_, err := w.client.Send(t.Context(), w.real, remoting.SendRequest{Group: "test", Queue: queue, Messages: []remoting.OutMessage{
			{Body: []byte("{}"), Properties: remoting.Fields{{Name: remoting.PropertyUniqueKey, Value: id}}},
		}})
		w.must(err)
	}
	w.settle()
	w.roll()
	send("ORDER-1")
	send("ORDER-2")
	send("ORDER-3")
	before := time.Now()
	w.must(w.client.CommitOffset(t.Context(), w.real, w.group.Spec.Group, queue, 1))
	w.beat()
	send("ORDER-4")
	w.beats(stuckAfter + longBeat)
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionTrue, v1alpha1.ReasonQueueStandsStill, "queue "+queue.String()+" has not moved since", "message ORDER-2 at offset 1, stored")
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionFalse, v1alpha1.ReasonRetentionSuffices)
	if oldest := w.group.Status.OldestMessageTime; oldest == nil || before.Sub(oldest.Time).Abs() > time.Minute {
		t.Errorf("the oldest message is told to be of %v, and was stored at %s", oldest, before)
	}

	w.later += w.cluster.Status.Brokers[0].Retention.Duration
	w.beat()
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionTrue, v1alpha1.ReasonMessagesExpiring, "queue "+queue.String())

	w.must(w.client.CommitOffset(t.Context(), w.real, w.group.Spec.Group, queue, 4))
	w.beat()
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionFalse, v1alpha1.ReasonQueuesMove)
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionFalse, v1alpha1.ReasonRetentionSuffices)
}
