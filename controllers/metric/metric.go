// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// readTime bounds reading the objects, which a cache has at hand once it is filled.
const readTime = 5 * time.Second

// collector makes metrics of objects.
type collector struct {
	read func(context.Context) (Objects, error)
}

// New returns a collector of the objects that read reads.
func New(read func(context.Context) (Objects, error)) prometheus.Collector { return collector{read} }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("orderflow_"+name, help, labels, nil)
}

var (
	conditionDesc = describe("condition_state", "1 for the status and reason that a condition of an object has; kubectl describe shows its message.",
		"kind", "namespace", "name", "condition", "status", "reason")
	lagDesc    = describe("lag_messages", "Messages yet to be handled, retries included; no series where it is not known.", "namespace", "name", "group")
	retryDesc  = describe("lag_retry_messages", "The part of the lag that was tried before.", "namespace", "name", "group")
	deadDesc   = describe("dead_letter_messages", "Messages in the group's dead-letter topic.", "namespace", "name", "group")
	oldestDesc = describe("oldest_message_timestamp_seconds", "When the oldest message that waits was stored; no series where none has waited for a minute, or it is not known.", "namespace", "name", "group")
	stuckDesc  = describe("stuck_queues", "Queues in which the group does not get on while messages come, 16 at most; no series while the lag is not known.", "namespace", "name", "group")
	readyDesc  = describe("ready_replicas", "Pods of the group that are ready.", "namespace", "name", "group")
	boundDesc  = describe("desired_replicas", "Pods that were decided on, and the bound that held their number.", "namespace", "name", "group", "bound")
	seenDesc   = describe("verified_timestamp_seconds", "When all that an object declares was last read back from every broker; no series where that was never so.", "kind", "namespace", "name")
)

// Describe implements prometheus.Collector.
func (collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{conditionDesc, lagDesc, retryDesc, deadDesc, oldestDesc, stuckDesc, readyDesc, boundDesc, seenDesc} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	objects, err := c.read(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(conditionDesc, err)
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	objects.conditions(func(kind string, object metav1.Object, conditions []metav1.Condition) {
		for _, c := range conditions {
			gauge(conditionDesc, 1, kind, object.GetNamespace(), object.GetName(), c.Type, string(c.Status), c.Reason)
		}
	})
	for kind, book := range objects.Verified {
		for name, at := range book.Times() {
			gauge(seenDesc, float64(at.Unix()), kind, name.Namespace, name.Name)
		}
	}
	for i := range objects.Groups.Items {
		collectGroup(&objects.Groups.Items[i], gauge)
	}
}

func collectGroup(g *v1alpha1.MQConsumerGroup, gauge func(*prometheus.Desc, float64, ...string)) {
	for desc, n := range map[*prometheus.Desc]*int64{lagDesc: g.Status.Lag, retryDesc: g.Status.RetryLag, deadDesc: g.Status.DeadLetters} {
		if n != nil {
			gauge(desc, float64(*n), g.Namespace, g.Name, g.Spec.Group)
		}
	}
	if oldest := g.Status.OldestMessageTime; oldest != nil {
		gauge(oldestDesc, float64(oldest.Unix()), g.Namespace, g.Name, g.Spec.Group)
	}
	if g.Status.Lag != nil {
		gauge(stuckDesc, float64(len(g.Status.StuckQueues)), g.Namespace, g.Name, g.Spec.Group)
	}
	gauge(readyDesc, float64(g.Status.ReadyReplicas), g.Namespace, g.Name, g.Spec.Group)
	if s := g.Status.Scaling; s != nil {
		gauge(boundDesc, float64(s.DesiredReplicas), g.Namespace, g.Name, g.Spec.Group, string(s.Bound))
	}
}
