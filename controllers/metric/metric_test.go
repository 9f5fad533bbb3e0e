// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/test/metriclint"
)

// shop has an object of each kind.
func shop() (o Objects) {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	ready := func(reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: "said to +8613800000000"}}
	}
	o.Clusters.Items = []v1alpha1.MQCluster{{ObjectMeta: meta("mq"), Status: v1alpha1.MQClusterStatus{Conditions: ready(v1alpha1.ReasonReady)}}}
	o.Flows.Items = []v1alpha1.OrderFlow{{ObjectMeta: meta("paid"), Status: v1alpha1.OrderFlowStatus{Conditions: ready(v1alpha1.ReasonReady)}}}
	o.Adapters.Items = []v1alpha1.ThirdPartyAdapter{{ObjectMeta: meta("sms"), Status: v1alpha1.ThirdPartyAdapterStatus{Conditions: ready(v1alpha1.ReasonUnused)}}}
	o.Replays.Items = []v1alpha1.DeadLetterReplay{{ObjectMeta: meta("again"), Status: v1alpha1.DeadLetterReplayStatus{Conditions: ready(v1alpha1.ReasonReady)}}}
	known := v1alpha1.MQConsumerGroup{ObjectMeta: meta("paid-push"), Status: v1alpha1.MQConsumerGroupStatus{
		Conditions: ready(v1alpha1.ReasonReady), Lag: new(int64(42)), RetryLag: new(int64(2)), DeadLetters: new(int64(1)), ReadyReplicas: 2,
		OldestMessageTime: new(metav1.Unix(1793534400, 0)), StuckQueues: []v1alpha1.StuckQueue{{Queue: "Orders@broker-a#0"}},
		Scaling: &v1alpha1.ScalingStatus{DesiredReplicas: 3, Bound: v1alpha1.BoundQueues},
	}}
	known.Spec.Group = "push_group"
	unknown := v1alpha1.MQConsumerGroup{ObjectMeta: meta("paid-credit")}
	o.Groups.Items = []v1alpha1.MQConsumerGroup{known, unknown}
	o.Verified = Verified{"MQConsumerGroup": verification.New(time.Minute)}
	o.Verified["MQConsumerGroup"].Note(types.NamespacedName{Namespace: "shop", Name: "paid-push"}, "", time.Unix(1700000000, 0))
	return o
}

func registry(o Objects, err error) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(New(func(context.Context) (Objects, error) { return o, err }))
	return r
}

func TestMetricsAreAsTheyShouldBe(t *testing.T) {
	r := registry(shop(), nil)
	metriclint.Check(t, r)
	metriclint.Documented(t, r, "../../docs/metrics.md", "operator", "namespace")
}

func TestEveryDecisionIsAMetric(t *testing.T) {
	want := `
# HELP orderflow_condition_state 1 for the status and reason that a condition of an object has; kubectl describe shows its message.
# TYPE orderflow_condition_state gauge
orderflow_condition_state{condition="Ready",kind="DeadLetterReplay",name="again",namespace="shop",reason="Ready",status="True"} 1
orderflow_condition_state{condition="Ready",kind="MQCluster",name="mq",namespace="shop",reason="Ready",status="True"} 1
orderflow_condition_state{condition="Ready",kind="MQConsumerGroup",name="paid-push",namespace="shop",reason="Ready",status="True"} 1
orderflow_condition_state{condition="Ready",kind="OrderFlow",name="paid",namespace="shop",reason="Ready",status="True"} 1
orderflow_condition_state{condition="Ready",kind="ThirdPartyAdapter",name="sms",namespace="shop",reason="Unused",status="True"} 1
# HELP orderflow_desired_replicas Pods that were decided on, and the bound that held their number.
# TYPE orderflow_desired_replicas gauge
orderflow_desired_replicas{bound="Queues",group="push_group",name="paid-push",namespace="shop"} 3
# HELP orderflow_lag_messages Messages yet to be handled, retries included; no series where it is not known.
# TYPE orderflow_lag_messages gauge
orderflow_lag_messages{group="push_group",name="paid-push",namespace="shop"} 42
# HELP orderflow_oldest_message_timestamp_seconds When the oldest message that waits was stored; no series where none has waited for a minute, or it is not known.
# TYPE orderflow_oldest_message_timestamp_seconds gauge
orderflow_oldest_message_timestamp_seconds{group="push_group",name="paid-push",namespace="shop"} 1.7935344e+09
# HELP orderflow_stuck_queues Queues in which the group does not get on while messages come, 16 at most; no series while the lag is not known.
# TYPE orderflow_stuck_queues gauge
orderflow_stuck_queues{group="push_group",name="paid-push",namespace="shop"} 1
# HELP orderflow_verified_timestamp_seconds When all that an object declares was last read back from every broker; no series where that was never so.
# TYPE orderflow_verified_timestamp_seconds gauge
orderflow_verified_timestamp_seconds{kind="MQConsumerGroup",name="paid-push",namespace="shop"} 1.7e+09
`
	if err := testutil.GatherAndCompare(registry(shop(), nil), strings.NewReader(want), "orderflow_condition_state", "orderflow_desired_replicas", "orderflow_lag_messages",
		"orderflow_oldest_message_timestamp_seconds", "orderflow_stuck_queues", "orderflow_verified_timestamp_seconds"); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeReadIsNotZero(t *testing.T) {
	if _, err := registry(Objects{}, errors.New("the cache is not filled")).Gather(); err == nil {
		t.Error("the metrics say that there are no objects")
	}
}
