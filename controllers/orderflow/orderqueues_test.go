// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// TestTheBindingListsAllQueuesOfOrderKeys follows the list through what happens to a cluster. A broker that is away is not forgotten, even where the name
// server no longer lists it and the MQCluster has not noticed yet.
func TestTheBindingListsAllQueuesOfOrderKeys(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	first, second := w.mq.Brokers()[0], w.mq.Brokers()[1]
	look := func() {
		t.Helper()
		w.later += VerifyEvery + time.Second
		w.step(t, flow)
	}
	want := func(when, list string) {
		t.Helper()
		if got := string(w.secret(t, "order-paid-producer").Data["order-queues"]); got != list {
			t.Errorf("%s: order-queues are %q, want %q; status %v", when, got, list, flow.Status.Topic.OrderQueues)
		}
	}
	both := func(a, b int) string { return fmt.Sprintf("%s:%d;%s:%d", first.Name(), a, second.Name(), b) }
	want("at first", both(4, 4))

	second.Stop()
	look()
	want("one broker is away", both(4, 4))
	flow.Spec.Topic.QueuesPerBroker = 6
	w.Write(t, flow)
	look()
	want("one is away and there are to be more queues", both(4, 4))

	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	w.Read(t, w.cluster)
	w.cluster.Status.Brokers[1].Address = second.Addr()
	w.update(t)
	look()
	want("both are there, with more queues", both(6, 6))

	second.Stop()
	w.cluster.Status.Brokers = slices.DeleteFunc(w.cluster.Status.Brokers, func(b v1alpha1.BrokerStatus) bool { return b.Name == second.Name() })
	w.update(t)
	look()
	want("the cluster has forgotten one", fmt.Sprintf("%s:6", first.Name()))
}

// update writes the status of the cluster.
func (w *world) update(t *testing.T) {
	t.Helper()
	if err := w.Status().Update(t.Context(), w.cluster); err != nil {
		t.Fatal(err)
	}
}
