// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestWhereAGroupBegins(t *testing.T) {
	for sentence, test := range map[string]struct {
		from v1alpha1.StartFrom
		want int64
	}{
		"Latest skips what was there":       {v1alpha1.StartFrom{Position: v1alpha1.StartLatest}, 5},
		"Earliest begins with all there is": {v1alpha1.StartFrom{Position: v1alpha1.StartEarliest}, 0},
		"Timestamp begins at a time, here before all": {
			v1alpha1.StartFrom{Position: v1alpha1.StartTimestamp, Timestamp: new(metav1.NewTime(time.Now().Add(-time.Hour)))}, 0},
		"Timestamp begins at a time, here after all": {
			v1alpha1.StartFrom{Position: v1alpha1.StartTimestamp, Timestamp: new(metav1.NewTime(time.Now().Add(time.Hour)))}, 5},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) { g.Spec.Consume.StartFrom = test.from })
			w.send(0, 5)
			w.settle()
			if got := w.offset(0); got != test.want {
				t.Errorf("it begins at %d, want %d", got, test.want)
			}
			if got := w.offset(1); got != 0 {
				t.Errorf("in an empty queue it begins at %d", got)
			}
		})
	}
}

func TestAWrongReferenceSkipsNoMessage(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) { g.Spec.Handler.Push.AdapterRef.Name = "missing" })
	w.settle()
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAdapterNotFound, `ThirdPartyAdapter "missing"`)
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if w.deployment() != nil {
		t.Error("pods were started that cannot call anybody")
	}
	w.send(0, 5) // by the shop, which knows nothing of adapters
	adapter := w.Adapter("missing")
	adapter.Status = v1alpha1.ThirdPartyAdapterStatus{ObservedGeneration: 1, Conditions: w.conditionReady()}
	w.Create(t, adapter)
	w.must(second(w.reconcile()))
	if got := w.offset(0); got != 0 {
		t.Errorf("it begins at %d and skips what was sent before the adapter was there", got)
	}
	if w.deployment() == nil {
		t.Error("there are no pods")
	}
}

func TestLimitsReachThePodsWhileABrokerIsAway(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	before := w.group.Status.LiveRevision
	w.mq.Inject(fake.Fault{Host: "broker-b", Cut: true})
	adapter := w.Adapter("sms")
	w.Read(t, adapter)
	adapter.Spec.Timeout = duration(time.Second)
	w.Write(t, adapter)
	adapter.Status.ObservedGeneration = adapter.Generation
	w.must(w.Status().Update(t.Context(), adapter))
	_, _ = w.reconcile() // what it says is in the status
	w.want(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonBrokerUnreachable)
	if w.group.Status.LiveRevision == before {
		t.Error("the pods keep the limits of before")
	}
}

func TestAnOffsetThatIsThereIsNeverTouched(t *testing.T) {
	w := newWorld(t, nil)
	w.send(0, 5)
	w.commit(0, 2)
	w.settle()
	if got := w.offset(0); got != 2 {
		t.Errorf("the committed offset 2 became %d", got)
	}
}

func TestAQueueThatAppearsLaterLosesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.topic(topicQueues + 1)
	w.send(topicQueues, 3) // before anybody saw the queue
	w.must(second(w.reconcile()))
	if got := w.offset(topicQueues); got != 0 {
		t.Errorf("in the new queue it begins at %d and skips what came first", got)
	}
}

func TestThePulseSeesAQueueThatAppearsLater(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	w.must(second(w.reconcile()))
	w.beat()
	w.later = time.Minute
	w.topic(topicQueues + 1)
	if !w.beat() {
		t.Error("nobody was told of a queue without an offset")
	}
}
