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

func TestARealBrokerTellsWhichMessageHoldsAQueueAndWhenItWillBeDeleted(t *testing.T) {
	w := newWorldOn(t, broker.Own(t, rocketmq.Options{}).NameServer(), nil)
	master := w.brokers[0]
	queue := remoting.Queue{Topic: "Orders", Broker: master.name, ID: 1}
	send := func(id string) {
		t.Helper()
		sent, err := w.client.Send(t.Context(), master.addr, remoting.SendRequest{Group: "test", Queue: queue, Messages: []remoting.OutMessage{
			{Body: []byte("{}"), Properties: remoting.Fields{{Name: remoting.PropertyUniqueKey, Value: id}}},
		}})
		w.must(err)
		w.eventually("the broker shows message "+id, func() bool {
			end, err := w.client.MaxOffset(t.Context(), master.addr, queue)
			w.must(err)
			return end > sent.Offset
		})
	}
	w.settle()
	w.roll()
	send("ORDER-1")
	send("ORDER-2")
	send("ORDER-3")
	before := time.Now()
	w.must(w.client.CommitOffset(t.Context(), master.addr, w.group.Spec.Group, queue, 1))
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

	w.must(w.client.CommitOffset(t.Context(), master.addr, w.group.Spec.Group, queue, 4))
	w.beat()
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionFalse, v1alpha1.ReasonQueuesMove)
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionFalse, v1alpha1.ReasonRetentionSuffices)
}
