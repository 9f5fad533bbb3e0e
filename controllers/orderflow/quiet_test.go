// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"testing"
)

func TestAFlowThatIsAsItWasIsNotWrittenAndNothingIsSaid(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	w.Quiet(t, flow, func() { w.step(t, flow) })
}
