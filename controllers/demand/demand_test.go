// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demand_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/demand"
)

func wishing(value string) *v1alpha1.MQCluster {
	return &v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Generation: 1, Annotations: map[string]string{v1alpha1.ReconcileAtAnnotation: value, "other": value}}}
}

func TestAWishIsHeardOnce(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for sentence, c := range map[string]struct {
		value, handled string
		pending        bool
		heard          string
	}{
		"there is none":                        {"", "", false, ""},
		"a new one":                            {"09:00", "", true, "09:00"},
		"it was heard":                         {"09:00", "09:00", false, "09:00"},
		"another one":                          {"10:00", "09:00", true, "10:00"},
		"it was taken back":                    {"", "09:00", false, "09:00"},
		"one longer than a status holds":       {long, "", true, long[:256]},
		"one longer than a status holds again": {long, long[:256], false, long[:256]},
		"one cut within a character":           {long[:255] + "é", "", true, long[:255]},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := demand.Pending(wishing(c.value), c.handled); got != c.pending {
				t.Errorf("pending is %v", got)
			}
			if got := demand.Heard(wishing(c.value), c.handled); got != c.heard {
				t.Errorf("heard is %q, want %q", got, c.heard)
			}
		})
	}
}

func TestAWishWakesAndOtherAnnotationsDoNot(t *testing.T) {
	before, other, edited := wishing("09:00"), wishing("09:00"), wishing("09:00")
	other.Annotations["other"], edited.Generation = "else", 2
	for sentence, c := range map[string]struct {
		after *v1alpha1.MQCluster
		wakes bool
	}{"another wish": {wishing("10:00"), true}, "another annotation": {other, false}, "another spec": {edited, true}} {
		if got := demand.Changed().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: c.after}); got != c.wakes {
			t.Errorf("%s: wakes is %v", sentence, got)
		}
	}
}
