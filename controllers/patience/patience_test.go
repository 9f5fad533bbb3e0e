// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package patience

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestIsOver(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	for sentence, test := range map[string]struct {
		status         metav1.ConditionStatus
		since, deleted time.Time
		want           bool
	}{
		"ten minutes of outage are not too long":              {metav1.ConditionUnknown, at(-10), at(-60), false},
		"eleven are":                                          {metav1.ConditionUnknown, at(-11), at(-60), true},
		"an outage from before the deletion counts from then": {metav1.ConditionUnknown, at(-60), at(-5), false},
		"whoever waits for messages waits for ever":           {metav1.ConditionFalse, at(-60), at(-60), false},
	} {
		conditions := []metav1.Condition{{Type: "Reached", Status: test.status, LastTransitionTime: metav1.NewTime(test.since)}}
		if got := IsOver(conditions, "Reached", test.deleted, noon); got != test.want {
			t.Errorf("%s: got %t", sentence, got)
		}
	}
	if IsOver(nil, "Reached", at(-60), noon) {
		t.Error("what nobody looked at yet is no outage")
	}
}
