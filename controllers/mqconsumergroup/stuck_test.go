// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

var (
	third   = rocketmq.Queue{Topic: "Orders", Broker: "broker-a", ID: 3}
	retries = rocketmq.Queue{Topic: rocketmq.RetryTopic("push_consumer_group"), Broker: "broker-a", ID: 0}
	letters = rocketmq.Queue{Topic: rocketmq.DeadLetterTopic("push_consumer_group"), Broker: "broker-a", ID: 0}
)

// still is the first message of a queue, since an hour before noon, where pods have done nothing for so long.
func still(q rocketmq.Queue, idle time.Duration, grown bool) lag.Head {
	return lag.Head{Queue: q, Offset: 42, Stored: noon.Add(-2 * time.Hour), Since: noon.Add(-time.Hour), Still: idle, Grown: grown}
}

func TestWhichQueuesAreStuck(t *testing.T) {
	was := v1alpha1.StuckQueue{Queue: third.String(), Offset: 42, MessageID: "C0A8", StoredTime: new(metav1.NewTime(noon.Add(-2 * time.Hour))), Since: metav1.NewTime(noon.Add(-3 * time.Hour))}
	for sentence, test := range map[string]struct {
		heads  []lag.Head
		was    []v1alpha1.StuckQueue
		change func(*inputs)
		status metav1.ConditionStatus
		says   []string
	}{
		"nothing waits": {nil, nil, nil, metav1.ConditionFalse, nil},
		"the first message stays where it is, and others come": {[]lag.Head{still(third, stuckAfter, true)}, nil, nil, metav1.ConditionTrue,
			[]string{"queue Orders@broker-a#3 has not moved since 2026-11-01T11:00:00Z, while more messages come", "at offset 42", "spec.skipMessageIDs"}},
		"not for long":                     {[]lag.Head{still(third, stuckAfter-time.Second, true)}, nil, nil, metav1.ConditionFalse, nil},
		"none comes":                       {[]lag.Head{still(third, time.Hour, false)}, nil, nil, metav1.ConditionFalse, nil},
		"dead letters stay where they are": {[]lag.Head{still(letters, time.Hour, true)}, nil, nil, metav1.ConditionFalse, nil},
		"retries, too":                     {[]lag.Head{still(retries, time.Hour, true)}, nil, nil, metav1.ConditionTrue, []string{"queue %RETRY%push_consumer_group@broker-a#0"}},
		"the operator is new, and the message still the same": {[]lag.Head{still(third, 0, false)}, []v1alpha1.StuckQueue{was}, nil, metav1.ConditionTrue,
			[]string{"since 2026-11-01T09:00:00Z", "message C0A8 at offset 42, stored 2026-11-01T10:00:00Z"}},
		"the group went on to the next": {[]lag.Head{{Queue: third, Offset: 43}}, []v1alpha1.StuckQueue{was}, nil, metav1.ConditionFalse, nil},
		"all is done":                   {nil, []v1alpha1.StuckQueue{was}, nil, metav1.ConditionFalse, nil},
		"the brokers do not answer": {nil, []v1alpha1.StuckQueue{was}, func(seen *inputs) { seen.signals = lag.Signals{} }, metav1.ConditionUnknown,
			[]string{"BrokerReady says more"}},
		"others are stuck as well": {[]lag.Head{still(third, time.Hour, true), still(retries, time.Hour, true)}, nil, nil, metav1.ConditionTrue,
			[]string{"nor are 1 other queues"}},
		"in order it may be tried in place": {[]lag.Head{still(third, time.Hour, true)}, nil, func(seen *inputs) { seen.group.Spec.Consume.Order = v1alpha1.ConsumeOrderly },
			metav1.ConditionTrue, []string{"tried again in place"}},
		"there is one pod": {[]lag.Head{still(third, time.Hour, true)}, nil, func(seen *inputs) {
			seen.reports = []workersync.Report{{Pod: "push-1", Answer: worker.SyncResponse{Queues: 8}}}
		}, metav1.ConditionTrue, []string{"pod push-1 is the only one and owns 8 queues"}},
		"every pod has positions of its own": {nil, nil, func(seen *inputs) { seen.group.Spec.Consume.Model = v1alpha1.ConsumeBroadcasting }, metav1.ConditionFalse, []string{"Broadcasting"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.heads, seen.group.Status.StuckQueues = test.heads, test.was
			if test.change != nil {
				test.change(seen)
			}
			seen.stuck = stuckQueues(seen, noon)
			reason := map[metav1.ConditionStatus]string{
				metav1.ConditionTrue: v1alpha1.ReasonQueueStandsStill, metav1.ConditionFalse: v1alpha1.ReasonQueuesMove, metav1.ConditionUnknown: v1alpha1.ReasonNotRead,
			}[test.status]
			suite.WantCondition(t, []metav1.Condition{queueStuck(seen, noon)}, v1alpha1.ConditionQueueStuck, test.status, reason, test.says...)
			setStatus(seen.group, seen, steps{}, noon)
			if stuckMoved(seen) || lagMoved(seen, noon) {
				t.Error("all is written down, and the pulse wakes the group")
			}
		})
	}
}

// consuming makes the group's pods be ready, with an offset in every queue.
func (w *world) consuming() {
	w.t.Helper()
	w.settle()
	w.roll()
	w.commitAll(0)
	w.beat()
	_, err := w.reconcile()
	w.must(err)
}

func TestAQueueThatStandsStillIsNamedWithItsMessage(t *testing.T) {
	w := newWorld(t, nil)
	w.consuming()
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionFalse, v1alpha1.ReasonQueuesMove)

	w.send(1, 1)
	w.beat()
	w.send(1, 1)
	w.beats(stuckAfter - longBeat)
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionFalse, v1alpha1.ReasonQueuesMove)
	w.later += longBeat
	if !w.beat() {
		t.Fatal("the queue is stuck, and nobody is woken")
	}
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionTrue, v1alpha1.ReasonQueueStandsStill, "queue Orders@broker-a#1 has not moved since", "at offset 0, stored")
	if stuck := w.group.Status.StuckQueues; len(stuck) != 1 || stuck[0].MessageID == "" || !strings.Contains(strings.Join(w.Events(), "\n"), "Warning QueueStandsStill") {
		t.Errorf("the status names %+v", stuck)
	}
	pulls := len(w.mq.Calls(rocketmq.OpPull))
	w.later += longBeat
	w.beat()
	if _, err := w.reconcile(); err != nil || len(w.mq.Calls(rocketmq.OpPull)) != pulls {
		t.Errorf("the message is read again: %v", err)
	}

	w.commit(1, 1)
	w.later += longBeat
	if !w.beat() {
		t.Fatal("the queue moves, and nobody is woken")
	}
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionFalse, v1alpha1.ReasonQueuesMove)
	if w.group.Status.StuckQueues != nil {
		t.Errorf("the status names %+v", w.group.Status.StuckQueues)
	}
}

func TestWithoutPodsNoQueueIsStuck(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.commitAll(0)
	w.send(1, 1)
	w.beat()
	w.send(1, 1)
	w.beats(2 * stuckAfter)
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionFalse, v1alpha1.ReasonQueuesMove)
}

func TestASuspendedGroupIsNotStuckAndWhatWaitsMayBeDeleted(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) { g.Spec.Suspend = new(true) })
	w.consuming()
	w.send(1, 1)
	w.beat()
	w.send(1, 1)
	w.beats(2 * stuckAfter)
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionFalse, v1alpha1.ReasonQueuesMove)
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionFalse, v1alpha1.ReasonRetentionSuffices)

	w.later += 55 * time.Hour
	if !w.beat() {
		t.Fatal("a message is at risk, and nobody is woken")
	}
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionQueueStuck, metav1.ConditionFalse, v1alpha1.ReasonQueuesMove)
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionTrue, v1alpha1.ReasonMessagesExpiring, "Parked")
}
