// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestTheCircuitShownIsTheOneThatTellsMost(t *testing.T) {
	for name, c := range map[string]struct {
		states []v1alpha1.CircuitState
		want   v1alpha1.CircuitState
	}{
		"all closed":                   {[]v1alpha1.CircuitState{v1alpha1.CircuitClosed, v1alpha1.CircuitClosed}, v1alpha1.CircuitClosed},
		"one open among those closed":  {[]v1alpha1.CircuitState{v1alpha1.CircuitClosed, v1alpha1.CircuitOpen}, v1alpha1.CircuitOpen},
		"an open one before a probing": {[]v1alpha1.CircuitState{v1alpha1.CircuitHalfOpen, v1alpha1.CircuitOpen}, v1alpha1.CircuitOpen},
		"a probing one before unknown": {[]v1alpha1.CircuitState{v1alpha1.CircuitUnknown, v1alpha1.CircuitHalfOpen}, v1alpha1.CircuitHalfOpen},
		"an unknown one before closed": {[]v1alpha1.CircuitState{v1alpha1.CircuitClosed, v1alpha1.CircuitUnknown}, v1alpha1.CircuitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			var uses []v1alpha1.AdapterUse
			for _, state := range c.states {
				uses = append(uses, v1alpha1.AdapterUse{Circuit: state})
			}
			if got := worst(uses); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
