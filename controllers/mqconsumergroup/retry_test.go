// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func durations(list ...time.Duration) (out []metav1.Duration) {
	for _, d := range list {
		out = append(out, duration(d))
	}
	return out
}

func TestTheRetryPlan(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	declare := func(attempts int32, longest time.Duration) func(*inputs) {
		return func(seen *inputs) {
			seen.group.Spec.Retry = v1alpha1.RetryPlan{MaxAttempts: attempts, MaxDuration: duration(longest)}
		}
	}
	levels := func(text ...string) func(*inputs) {
		return func(seen *inputs) {
			declare(4, 6*h)(seen)
			for i := range text {
				seen.cluster.Status.Brokers[i].DelayLevels = text[i]
			}
		}
	}
	attempts, cut := v1alpha1.EndMaxAttempts, v1alpha1.EndMaxDuration
	const unknown = "a message that keeps failing is tried 4 times, then it is a dead letter; how long it waits in between is not known: "
	for sentence, test := range map[string]struct {
		change func(*inputs)
		want   v1alpha1.RetryPlanStatus
	}{
		"the default": {func(*inputs) {}, v1alpha1.RetryPlanStatus{
			Attempts: 16, EndedBy: attempts, Duration: new(duration(2*h + 45*m + 40*s)),
			Delays:  durations(10*s, 30*s, m, 2*m, 3*m, 4*m, 5*m, 6*m, 7*m, 8*m, 9*m, 10*m, 20*m, 30*m, h),
			Message: "a message that keeps failing is tried 16 times and waits 2h45m40s in all in between, then it is a dead letter",
		}},
		"one attempt needs no broker": {func(seen *inputs) { declare(1, 6*h)(seen); seen.cluster = nil }, v1alpha1.RetryPlanStatus{
			Attempts: 1, EndedBy: attempts, Duration: new(duration(0)), Message: "a message is tried once; if that fails it is a dead letter",
		}},
		"cut by maxDuration": {declare(5, 99*s), v1alpha1.RetryPlanStatus{
			Attempts: 3, EndedBy: cut, Duration: new(duration(40 * s)), Delays: durations(10*s, 30*s),
			Message: "a message that keeps failing is tried 3 times and waits 40s in all in between, then it is a dead letter; " +
				"maxDuration 1m39s cuts off 2 of the 5 attempts of maxAttempts",
		}},
		"cut before the second attempt": {declare(5, s), v1alpha1.RetryPlanStatus{
			Attempts: 1, EndedBy: cut, Duration: new(duration(0)),
			Message: "a message is tried once; if that fails it is a dead letter; maxDuration 1s cuts off 4 of the 5 attempts of maxAttempts",
		}},
		"levels of the brokers' own": {levels("1s 1m 2m 3m 1h", "1s 1m 2m 3m 60m"), v1alpha1.RetryPlanStatus{
			Attempts: 4, EndedBy: attempts, Duration: new(duration(h + 5*m)), Delays: durations(2*m, 3*m, h),
			Message: "a message that keeps failing is tried 4 times and waits 1h5m0s in all in between, then it is a dead letter; " +
				"the brokers have delay levels of their own (messageDelayLevel), while maxDuration is counted in RocketMQ's",
		}},
		"levels of their own behind those that are used": {levels(delaysByDefault+" 1d", delaysByDefault+" 1d"), v1alpha1.RetryPlanStatus{
			Attempts: 4, EndedBy: attempts, Duration: new(duration(100 * s)), Delays: durations(10*s, 30*s, m),
			Message: "a message that keeps failing is tried 4 times and waits 1m40s in all in between, then it is a dead letter",
		}},
		"brokers that differ": {levels(delaysByDefault, "1s 5s 10s"), v1alpha1.RetryPlanStatus{
			Attempts: 4, EndedBy: attempts, Message: unknown + "brokers broker-a and broker-b have different delay levels: give all of them one messageDelayLevel",
		}},
		"a broker that did not say": {levels(delaysByDefault, ""), v1alpha1.RetryPlanStatus{
			Attempts: 4, EndedBy: attempts, Message: unknown + "messageDelayLevel of broker broker-b cannot be read: there are no delay levels",
		}},
		"a cluster that is not Ready, and a cut": {func(seen *inputs) { declare(5, 100*s)(seen); seen.cluster.Status.Conditions = nil }, v1alpha1.RetryPlanStatus{
			Attempts: 4, EndedBy: cut, Message: unknown + "MQCluster mq is not Ready; maxDuration 1m40s cuts off 1 of the 5 attempts of maxAttempts",
		}},
		"in place, whatever the brokers' levels": {func(seen *inputs) {
			seen.group.Spec.Consume.Order, seen.group.Spec.Consume.OrderKeyExpression = v1alpha1.ConsumeOrderly, "order.id"
			seen.cluster = nil
		}, v1alpha1.RetryPlanStatus{
			Attempts: 16, EndedBy: attempts, Duration: new(duration(5*m + 31*s)),
			Delays: durations(s, 2*s, 4*s, 8*s, 16*s, 30*s, 30*s, 30*s, 30*s, 30*s, 30*s, 30*s, 30*s, 30*s, 30*s),
			Message: "a message that keeps failing is tried 16 times and waits 5m31s in all in between, then it is a dead letter; " +
				"messages of its order key wait for it, and all of its queue do once 256 lie beyond it (consume.maxUncommitted)",
		}},
		"a cluster without brokers": {func(seen *inputs) { declare(4, 6*h)(seen); seen.cluster.Status.Brokers = nil }, v1alpha1.RetryPlanStatus{
			Attempts: 4, EndedBy: attempts, Message: unknown + "MQCluster mq has no brokers",
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			test.change(seen)
			if diff := cmp.Diff(&test.want, retryPlan(seen)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheRetryPlanIsWhatWorkersAreTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := ready()
		seen.group.Spec.Retry = v1alpha1.RetryPlan{
			MaxAttempts: rapid.Int32Range(1, 16).Draw(t, "maxAttempts"),
			MaxDuration: duration(time.Duration(rapid.Int64Range(int64(time.Second), int64(24*time.Hour)).Draw(t, "maxDuration"))),
		}
		if rapid.Bool().Draw(t, "orderly") {
			seen.group.Spec.Consume.OrderKeyExpression = "order.id"
		}
		told, shown := structure(seen).Plan(), retryPlan(seen)
		if diff := cmp.Diff(durations(told...), shown.Delays); diff != "" || int(shown.Attempts) != len(told)+1 {
			t.Errorf("%d attempts: what workers are told (-) is not what is shown (+):\n%s", shown.Attempts, diff)
		}
	})
}

func TestAGroupSaysWhenMessagesAreTriedAgain(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		g.Spec.Retry = v1alpha1.RetryPlan{MaxAttempts: 3, MaxDuration: duration(time.Hour)}
	})
	shows := func(levels string, want []metav1.Duration, says string) {
		t.Helper()
		for i := range w.cluster.Status.Brokers {
			w.cluster.Status.Brokers[i].DelayLevels = levels
		}
		w.must(w.Status().Update(t.Context(), w.cluster))
		w.must(second(w.reconcile()))
		plan := w.group.Status.RetryPlan
		if plan == nil || plan.Attempts != 3 || !cmp.Equal(plan.Delays, want) || !strings.Contains(plan.Message, says) {
			t.Fatalf("the plan is %+v, want the delays %v", plan, want)
		}
		before := w.group.ResourceVersion
		w.must(second(w.reconcile()))
		if w.group.ResourceVersion != before {
			t.Error("a look without a change was written down")
		}
	}
	w.settle()
	w.roll()
	shows(delaysByDefault, durations(10*time.Second, 30*time.Second), "tried 3 times and waits 40s in all in between")
	shows("1s 1m 2m 3m", durations(2*time.Minute, 3*time.Minute), "delay levels of their own")
	shows("", nil, "is not known")
	shows(delaysByDefault, durations(10*time.Second, 30*time.Second), "tried 3 times and waits 40s in all in between")
}
