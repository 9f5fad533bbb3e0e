// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestBrokersThatComeGoOrMoveMatterToWhatIsOnThem(t *testing.T) {
	of := func(identity string, brokers ...v1alpha1.BrokerStatus) *v1alpha1.MQCluster {
		return &v1alpha1.MQCluster{Status: v1alpha1.MQClusterStatus{Identity: identity, Brokers: brokers}}
	}
	a, b := v1alpha1.BrokerStatus{Name: "a", Address: "10.0.0.1:10911"}, v1alpha1.BrokerStatus{Name: "b", Address: "10.0.0.2:10911"}
	moved, full := a, a
	moved.Address, full.Disk = "10.0.0.3:10911", v1alpha1.DiskFull
	for sentence, test := range map[string]struct {
		after *v1alpha1.MQCluster
		want  bool
	}{
		"as before":          {of("x", a), false},
		"its disk is full":   {of("x", full), false},
		"one came":           {of("x", a, b), true},
		"one went":           {of("x"), true},
		"one moved":          {of("x", moved), true},
		"another cluster":    {of("y", a), true},
		"one for another":    {of("x", b), true},
		"nobody knows which": {of("", a), true},
	} {
		if got := Changed().Update(event.UpdateEvent{ObjectOld: of("x", a), ObjectNew: test.after}); got != test.want {
			t.Errorf("%s: wakes %t, want %t", sentence, got, test.want)
		}
	}
}
