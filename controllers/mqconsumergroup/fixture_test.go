// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestMain(m *testing.M) { suite.Main(m) }

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// delaysByDefault is RocketMQ's messageDelayLevel where nobody changed it.
const delaysByDefault = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h"

func duration(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

// sms is an adapter as the API server would have it, with its defaults.
func sms() *v1alpha1.ThirdPartyAdapter {
	return &v1alpha1.ThirdPartyAdapter{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "sms", Generation: 1},
		Spec: v1alpha1.ThirdPartyAdapterSpec{
			URL: "https://sms.example.com/v1", Timeout: duration(3 * time.Second),
			Retry:          v1alpha1.RequestRetry{MaxAttempts: 2, InitialDelay: duration(100 * time.Millisecond)},
			CircuitBreaker: v1alpha1.CircuitBreaker{FailurePercentage: 50, MinimumRequests: 10, Window: duration(10 * time.Second), OpenDuration: duration(time.Second)},
			RateLimit:      &v1alpha1.RateLimit{Requests: 100, Period: duration(time.Second), Burst: 10},
			Concurrency:    &v1alpha1.AdapterConcurrency{Mode: v1alpha1.ConcurrencyFixed, Max: 40},
			Idempotency:    v1alpha1.IdempotencyContract{Keys: v1alpha1.KeyHonoured, Header: "Idempotency-Key", Window: duration(24 * time.Hour)},
		},
		Status: v1alpha1.ThirdPartyAdapterStatus{ObservedGeneration: 1},
	}
}

// push is a group as the API server would have it, with its defaults and two pods.
func push() *v1alpha1.MQConsumerGroup {
	return &v1alpha1.MQConsumerGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "push", UID: "push-uid", Generation: 1},
		Spec: v1alpha1.MQConsumerGroupSpec{
			ClusterRef: v1alpha1.LocalObjectReference{Name: "mq"}, Topic: "Orders",
			ConsumerTemplate: v1alpha1.ConsumerTemplate{
				Group:        "push_consumer_group",
				Subscription: v1alpha1.Subscription{Type: v1alpha1.SubscriptionTag, Tag: &v1alpha1.TagSubscription{Expression: "paid || refunded"}},
				Consume: v1alpha1.Consume{
					Mode: v1alpha1.ConsumePush, Order: v1alpha1.ConsumeConcurrently, Model: v1alpha1.ConsumeClustering, MaxUncommitted: 256,
					StartFrom: v1alpha1.StartFrom{Position: v1alpha1.StartLatest},
				},
				Concurrency: v1alpha1.Concurrency{PerPod: 20},
				Handler: v1alpha1.Handler{Type: v1alpha1.HandlerPush, Push: &v1alpha1.PushHandler{
					AdapterRef: v1alpha1.LocalObjectReference{Name: "sms"}, TemplateID: "order_paid", ToExpression: "order.phone",
				}},
				Retry:    v1alpha1.RetryPlan{MaxAttempts: 16, MaxDuration: duration(6 * time.Hour)},
				Replicas: new(int32(2)),
			},
		},
	}
}

// ready is all there is to know of a group that can begin: the cluster is Ready, the topic has 8 queues on two brokers, nobody else is there.
func ready() *inputs {
	group := push()
	cluster := &v1alpha1.MQCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mq"},
		Spec:       v1alpha1.MQClusterSpec{NameServers: []string{"namesrv.rocketmq:9876"}},
		Status: v1alpha1.MQClusterStatus{
			Identity: "physical", ClusterName: "DefaultCluster",
			Brokers: []v1alpha1.BrokerStatus{
				{Name: "broker-a", Address: "10.1.0.1:10911", DelayLevels: delaysByDefault, Retention: new(duration(72 * time.Hour)), DeleteWhen: "04", Disk: v1alpha1.DiskNormal},
				{Name: "broker-b", Address: "10.1.0.2:10911", DelayLevels: delaysByDefault, Retention: new(duration(72 * time.Hour)), DeleteWhen: "04", Disk: v1alpha1.DiskNormal},
			},
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}},
		},
	}
	queues := func(broker string) rocketmq.TopicStats {
		stats := rocketmq.TopicStats{Queues: map[rocketmq.Queue]rocketmq.QueueStats{}}
		for id := range 4 {
			stats.Queues[rocketmq.Queue{Topic: "Orders", Broker: broker, ID: id}] = rocketmq.QueueStats{}
		}
		return stats
	}
	return &inputs{
		verdicts: lru.New(MaxVerdicts),
		group:    group, cluster: cluster, workerImage: "worker:1", operatorNamespace: "orderflow-system",
		adapters: map[string]*v1alpha1.ThirdPartyAdapter{"sms": sms()},
		siblings: []v1alpha1.MQConsumerGroup{*group},
		claims:   []claim.Claim{{Object: types.NamespacedName{Namespace: "shop", Name: "push"}, UID: group.UID, Created: noon}},
		broker: brokerFacts{
			masters: []topology.Master{{Name: "broker-a", Addr: "10.1.0.1:10911"}, {Name: "broker-b", Addr: "10.1.0.2:10911"}},
			topic:   map[string]rocketmq.TopicStats{"broker-a": queues("broker-a"), "broker-b": queues("broker-b")},
		},
		signals: lag.Signals{Time: noon, Asked: noon, ArrivalKnown: true},
	}
}

// answers is a pod that answered, with the circuit of sms and its last error.
func answers(pod string, circuit worker.Circuit, lastError string) workersync.Report {
	report := worker.AdapterReport{Name: "sms", Circuit: circuit, LastError: lastError}
	if lastError != "" {
		report.LastErrorTime = new(noon)
	}
	return workersync.Report{Pod: pod, Time: noon, Answer: worker.SyncResponse{Adapters: []worker.AdapterReport{report}}}
}

func silent(pod string) workersync.Report {
	return workersync.Report{Pod: pod, Time: noon, Err: errors.New("connection refused")}
}

func runningPod(name string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
}
