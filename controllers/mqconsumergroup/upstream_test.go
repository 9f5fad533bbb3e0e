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
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// violated is a pod that saw an order key in two queues so long before noon.
func violated(pod string, ago time.Duration) workersync.Report {
	r := answers(pod, worker.CircuitClosed, "")
	r.Answer.OrderViolation = &worker.OrderViolation{Messages: 3, Last: noon.Add(-ago), Queues: [2]string{"T@b#1", "T@b#4"}}
	return r
}

func TestOrderViolatedUpstream(t *testing.T) {
	quiet := answers("a", worker.CircuitClosed, "")
	for sentence, test := range map[string]struct {
		order   v1alpha1.ConsumeOrder
		reports []workersync.Report
		status  metav1.ConditionStatus
		reason  string
		says    string
	}{
		"no order is kept":                {v1alpha1.ConsumeConcurrently, []workersync.Report{quiet}, metav1.ConditionFalse, v1alpha1.ReasonNotOrderly, "Concurrently"},
		"keys keep to their queues":       {v1alpha1.ConsumeOrderly, []workersync.Report{quiet}, metav1.ConditionFalse, v1alpha1.ReasonOrderKept, "no pod"},
		"a key came in two queues":        {v1alpha1.ConsumeOrderly, []workersync.Report{quiet, violated("b", time.Minute)}, metav1.ConditionTrue, v1alpha1.ReasonKeyInTwoQueues, "pod b has seen messages of one order key in two queues, for example in T@b#1 after T@b#4"},
		"a key did more than an hour ago": {v1alpha1.ConsumeOrderly, []workersync.Report{violated("a", time.Hour)}, metav1.ConditionFalse, v1alpha1.ReasonOrderKept, "no pod"},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.group.Spec.Consume.Order, seen.reports = test.order, test.reports
			c := upstreamOrder(seen, noon)
			if c.Type != v1alpha1.ConditionOrderViolatedUpstream || c.Status != test.status || c.Reason != test.reason || !strings.Contains(c.Message, test.says) {
				t.Errorf("%s %s %s: %s; want %s %s: …%s", c.Type, c.Status, c.Reason, c.Message, test.status, test.reason, test.says)
			}
			if moved := upstreamMoved(seen, noon); !moved {
				t.Error("what is not in the status is not worth telling")
			}
			condition.Set(&seen.group.Status.Conditions, 1, noon, c)
			if upstreamMoved(seen, noon) {
				t.Error("what is in the status is told again")
			}
		})
	}
}

func TestOneExampleOfAViolatedOrderIsEnough(t *testing.T) {
	seen := ready()
	seen.group.Spec.Consume.Order, seen.reports = v1alpha1.ConsumeOrderly, []workersync.Report{violated("a", time.Minute)}
	first := upstreamOrder(seen, noon)
	condition.Set(&seen.group.Status.Conditions, 1, noon, first)
	seen.reports = []workersync.Report{violated("a", time.Second), violated("b", time.Second)}
	if second := upstreamOrder(seen, noon); second.Message != first.Message {
		t.Errorf("it says %q after %q: each message would be a change", second.Message, first.Message)
	}
}
