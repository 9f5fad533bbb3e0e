// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestWhetherATopicIsSilent(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *traffic { return &traffic{last: noon.Add(-d)} }
	away := result.Wait(v1alpha1.ReasonBrokerUnreachable, 0, "broker-b is away")
	for sentence, test := range map[string]struct {
		heard  *traffic
		age    time.Duration
		unread result.Result
		status metav1.ConditionStatus
		reason string
		says   string
	}{
		"a message came lately":          {ago(14 * time.Minute), time.Hour, result.Result{}, metav1.ConditionFalse, v1alpha1.ReasonMessagesCome, "within 15m"},
		"none came for that long":        {ago(15 * time.Minute), time.Hour, result.Result{}, metav1.ConditionTrue, v1alpha1.ReasonTopicSilent, "no message has come to topic Orders since 2026-11-01T11:45:00Z, and spec.topic.expectTraffic.within is 15m"},
		"the flow is young":              {ago(time.Hour), time.Minute, result.Result{}, metav1.ConditionFalse, v1alpha1.ReasonMessagesCome, "younger"},
		"none ever came":                 {&traffic{}, time.Hour, result.Result{}, metav1.ConditionTrue, v1alpha1.ReasonTopicSilent, "no message has come to topic Orders that its brokers still have"},
		"one came, whoever is away":      {&traffic{last: noon, unread: away}, time.Hour, result.Result{}, metav1.ConditionFalse, v1alpha1.ReasonMessagesCome, ""},
		"none came to those that answer": {&traffic{last: noon.Add(-time.Hour), unread: away}, time.Hour, result.Result{}, metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "broker-b is away"},
		"the cluster cannot be asked":    {nil, time.Hour, away, metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "broker-b is away"},
		"the topic is not ours":          {nil, time.Hour, result.Result{}, metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "not this flow's yet"},
	} {
		t.Run(sentence, func(t *testing.T) {
			flow := &v1alpha1.OrderFlow{ObjectMeta: metav1.ObjectMeta{Name: "order-paid", CreationTimestamp: metav1.NewTime(noon.Add(-test.age))}}
			flow.Spec.Topic = v1alpha1.TopicSpec{Name: "Orders", ExpectTraffic: &v1alpha1.TrafficExpectation{Within: metav1.Duration{Duration: 15 * time.Minute}}}
			suite.WantCondition(t, []metav1.Condition{noTraffic(flow, test.heard, test.unread, noon)}, v1alpha1.ConditionNoTraffic, test.status, test.reason, test.says)
		})
	}
}

func TestASilentTopicIsToldOfAndSoIsItsReturn(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	flow.Spec.Consumers = nil
	flow.Spec.Topic.ExpectTraffic = &v1alpha1.TrafficExpectation{Within: metav1.Duration{Duration: 15 * time.Minute}}
	w.Create(t, flow)
	w.settle(t, flow)
	want := func(status metav1.ConditionStatus, reason string, texts ...string) {
		t.Helper()
		suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionNoTraffic, status, reason, texts...)
	}
	send := func() {
		t.Helper()
		w.mq.SetClock(w.later)
		b := w.mq.Brokers()[1]
		_, err := w.admin(t).Send(t.Context(), b.Addr(), rocketmq.SendRequest{
			Group: "test", Queue: rocketmq.Queue{Topic: w.topic(), Broker: b.Name()}, Messages: []rocketmq.OutMessage{{Body: []byte("{}")}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want(metav1.ConditionFalse, v1alpha1.ReasonMessagesCome)

	w.later = time.Hour
	send()
	w.later += 14 * time.Minute
	w.step(t, flow)
	want(metav1.ConditionFalse, v1alpha1.ReasonMessagesCome)
	w.later += 2 * time.Minute
	w.Events()
	w.step(t, flow)
	want(metav1.ConditionTrue, v1alpha1.ReasonTopicSilent, "no message has come to topic "+w.topic()+" since")
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	events := w.Events()
	w.later += time.Minute
	w.step(t, flow) // by a reconciler that knows nothing, as after a restart
	if again := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "Warning TopicSilent") }) || len(again) > 0 {
		t.Errorf("events tell %q, and after a restart %q", events, again)
	}

	w.mq.Inject(fake.Fault{Op: rocketmq.OpTopicStats, Host: "broker-b", Cut: true})
	w.step(t, flow)
	want(metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "broker-b")
	w.mq.Heal()
	send()
	w.step(t, flow)
	want(metav1.ConditionFalse, v1alpha1.ReasonMessagesCome)

	flow.Spec.Topic.ExpectTraffic = nil
	w.Write(t, flow)
	w.step(t, flow)
	for _, c := range flow.Status.Conditions {
		if c.Type == v1alpha1.ConditionNoTraffic {
			t.Errorf("nobody expects traffic any more, and it says %s: %s", c.Status, c.Message)
		}
	}
}

func TestWhereMessagesComeBrokersAreAskedOnceInThatTime(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	flow.Spec.Consumers = nil
	flow.Spec.Topic.ExpectTraffic = &v1alpha1.TrafficExpectation{Within: metav1.Duration{Duration: 15 * time.Minute}}
	w.Create(t, flow)
	w.settle(t, flow)
	r := w.reconciler()
	step := func() (ctrl.Result, int) {
		t.Helper()
		before := len(w.mq.Calls(rocketmq.OpTopicStats))
		answer, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(flow)})
		if err != nil {
			t.Fatal(err)
		}
		return answer, len(w.mq.Calls(rocketmq.OpTopicStats)) - before
	}
	if _, calls := step(); calls != 0 {
		t.Errorf("a young flow's brokers are asked %d times", calls)
	}
	w.later = 15*time.Minute - 10*time.Second
	answer, calls := step()
	if answer.RequeueAfter > 11*time.Second || calls != 0 {
		t.Errorf("ten seconds before it may be silent it is looked at again in %s, and brokers were asked %d times", answer.RequeueAfter, calls)
	}
	w.later = 20 * time.Minute
	w.mq.SetClock(w.later)
	b := w.mq.Broker()
	if _, err := w.admin(t).Send(t.Context(), b.Addr(), rocketmq.SendRequest{
		Group: "test", Queue: rocketmq.Queue{Topic: w.topic(), Broker: b.Name()}, Messages: []rocketmq.OutMessage{{Body: []byte("{}")}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, calls := step(); calls != 2 {
		t.Errorf("of two brokers %d were asked", calls)
	}
	w.later += 10 * time.Minute
	if _, calls := step(); calls != 0 {
		t.Errorf("a message came lately, and brokers were asked %d times", calls)
	}
}
