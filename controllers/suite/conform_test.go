// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestAStatusThatWouldBeMisunderstoodIsFound(t *testing.T) {
	at := func(generation int64, ready, reconciling, stalled metav1.ConditionStatus) []metav1.Condition {
		return []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: ready, ObservedGeneration: generation},
			{Type: v1alpha1.ConditionReconciling, Status: reconciling, ObservedGeneration: generation},
			{Type: v1alpha1.ConditionStalled, Status: stalled, ObservedGeneration: generation},
		}
	}
	for sentence, test := range map[string]struct {
		conditions []metav1.Condition
		observed   int64
		deleted    bool
		want       string
	}{
		"ready":                               {conditions: at(2, "True", "False", "False"), observed: 2},
		"on its way":                          {conditions: at(2, "Unknown", "True", "False"), observed: 2},
		"stalled":                             {conditions: at(2, "False", "False", "True"), observed: 2},
		"being deleted":                       {conditions: at(2, "False", "True", "False"), observed: 2, deleted: true},
		"of another spec":                     {conditions: at(2, "True", "False", "False"), observed: 1, want: "status.observedGeneration is 1 of 2"},
		"a condition of another spec":         {conditions: at(1, "True", "False", "False"), observed: 2, want: "Ready speaks of generation 1 of 2"},
		"ready and on its way":                {conditions: at(2, "True", "True", "False"), observed: 2, want: "which is no state"},
		"neither on its way nor stalled":      {conditions: at(2, "False", "False", "False"), observed: 2, want: "which is no state"},
		"a condition that is not there":       {conditions: at(2, "True", "False", "False")[:2], observed: 2, want: "Stalled missing"},
		"nobody can say whether it has begun": {observed: 2, want: "Ready is missing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			cluster := &v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Name: "mq", Generation: 2}}
			cluster.Status.Conditions, cluster.Status.ObservedGeneration = test.conditions, test.observed
			if test.deleted {
				cluster.DeletionTimestamp = new(metav1.Now())
			}
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(cluster)
			if err != nil {
				t.Fatal(err)
			}
			u := &unstructured.Unstructured{Object: content}
			u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("MQCluster"))
			got := ""
			if err := conforms(u); err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("it is said %q, want %q", got, test.want)
			}
		})
	}
}
