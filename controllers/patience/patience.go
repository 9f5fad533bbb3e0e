// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package patience

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Limit of an outage. After it the object is let go, and what it made stays on the brokers.
const Limit = 10 * time.Minute

// IsOver reports whether the condition, which is Unknown while the brokers cannot be asked, has been so for longer than Limit since the
// object was deleted.
func IsOver(conditions []metav1.Condition, conditionType string, deleted, now time.Time) bool {
	c := meta.FindStatusCondition(conditions, conditionType)
	return c != nil && c.Status == metav1.ConditionUnknown && min(now.Sub(c.LastTransitionTime.Time), now.Sub(deleted)) > Limit
}
