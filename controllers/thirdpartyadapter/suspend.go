// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func suspended(adapter *v1alpha1.ThirdPartyAdapter) bool {
	return adapter.Spec.Suspend != nil && *adapter.Spec.Suspend
}

// drainedOf is what matters of a group's Drained; the zero value where it has none.
func drainedOf(group *v1alpha1.MQConsumerGroup) (is struct {
	status          metav1.ConditionStatus
	reason, message string
}) {
	if c := meta.FindStatusCondition(group.Status.Conditions, v1alpha1.ConditionDrained); c != nil {
		is.status, is.reason, is.message = c.Status, c.Reason, c.Message
	}
	return is
}

// few is how many groups a message describes.
const few = 3

// drained is Drained of a suspended adapter: whether all groups that use it are, by what they say of themselves. Of another it is taken away.
func drained(adapter *v1alpha1.ThirdPartyAdapter, groups []v1alpha1.MQConsumerGroup) []metav1.Condition {
	if !suspended(adapter) {
		meta.RemoveStatusCondition(&adapter.Status.Conditions, v1alpha1.ConditionDrained)
		return nil
	}
	c := metav1.Condition{
		Type: v1alpha1.ConditionDrained, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDrained,
		Message: fmt.Sprintf("all %d groups that use it are drained: no request is under way, and none is about to be made", len(groups)),
	}
	var left []string
	for i := range groups {
		is := drainedOf(&groups[i])
		if is.status == metav1.ConditionTrue {
			continue
		}
		what := is.reason + ": " + is.message
		if is.status == "" {
			is.status, what = metav1.ConditionFalse, "has not taken the suspension over yet"
		}
		left = append(left, fmt.Sprintf("group %s: %s", groups[i].Name, what))
		if c.Status != metav1.ConditionFalse {
			c.Status = is.status
		}
		if c.Reason != v1alpha1.ReasonDrainDeadlineExceeded {
			c.Reason = v1alpha1.ReasonGroupNotDrained
		}
		if is.reason == v1alpha1.ReasonDrainDeadlineExceeded {
			c.Reason = is.reason
		}
	}
	if n := len(left); n > 0 {
		c.Message = strings.Join(left[:min(n, few)], "; ")
		if n > few {
			c.Message += fmt.Sprintf("; and %d more", n-few)
		}
	}
	return []metav1.Condition{c}
}
