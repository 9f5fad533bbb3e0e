// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestAShadowBeginsToSendWhenItsLastPodIsGone(t *testing.T) {
	seen := ready()
	seen.group.Spec.Dispatch = v1alpha1.DispatchShadow
	old := structure(seen)
	seen.running = &old
	config, _ := structureConfig(seen.group, old)
	seen.deployment = deployment(seen, config.Name, 2)
	seen.group.Spec.Dispatch = v1alpha1.DispatchSend
	wanted := structure(seen)
	next, _ := structureConfig(seen.group, wanted)
	got := stopFirst(seen, wanted, next.Name)
	if !old.Shadow || wanted.Shadow || got.IsDone() || !strings.Contains(got.Message, "Push, Shadow to ") {
		t.Errorf("%+v, want to wait until all shadows have stopped", got)
	}
}

func TestAShadowSaysSo(t *testing.T) {
	seen := ready()
	seen.group.Spec.Dispatch = v1alpha1.DispatchShadow
	for _, c := range conditions(seen.group, seen, steps{}, noon) {
		if c.Type == v1alpha1.ConditionReady && !strings.Contains(c.Message, "nothing is sent: dispatch is Shadow") {
			t.Errorf("Ready says %q", c.Message)
		}
	}
}
