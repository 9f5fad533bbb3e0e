// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
)

// violationMemory is for how long an order key in two queues is told of after the last message that showed it.
const violationMemory = time.Hour

// upstreamOrder is the condition OrderViolatedUpstream. It names no time: each further message would be a change.
func upstreamOrder(seen *inputs, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionOrderViolatedUpstream, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonOrderKept, Message: "no pod has seen an order key in two queues within an hour"}
	if seen.group.Spec.Consume.Order != v1alpha1.ConsumeOrderly {
		c.Reason, c.Message = v1alpha1.ReasonNotOrderly, "consume.order is Concurrently: no order is kept"
		return c
	}
	if before := standing(seen, c.Type); before != nil {
		return *before
	}
	was := condition.Describe(seen.group.Status.Conditions, c.Type)
	for _, r := range seen.reports {
		v := r.Answer.OrderViolation
		if v == nil || now.Sub(v.Last) >= violationMemory {
			continue
		}
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonKeyInTwoQueues
		c.Message = fmt.Sprintf("pod %s has seen messages of one order key in two queues, for example in %s after %s, so that their order cannot be kept: "+
			"have the producer send all messages of a key (consume.orderKeyExpression) to the same queue, as by a sharding key; if queues were added lately, this ends when what was sent before is consumed",
			r.Pod, v.Queues[0], v.Queues[1])
		if c.Reason+": "+c.Message == was { // as good an example as any
			return c
		}
	}
	return c
}

// upstreamMoved reports whether that condition is not what the status says.
func upstreamMoved(seen *inputs, now time.Time) bool {
	return !condition.Is(seen.group.Status.Conditions, v1alpha1.ConditionOrderViolatedUpstream, upstreamOrder(seen, now).Status)
}
