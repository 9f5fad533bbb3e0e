// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"testing"

	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/suite"
)

func TestALookAtAFlowWhereNothingChangedWritesNothing(t *testing.T) {
	w := newWorld(t)
	writes := &suite.Counter{Client: w.Client}
	w.Applier = apply.New(writes, w.Client)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	w.step(t, flow)
	writes.Writes()
	for range 3 {
		w.later += 2 * VerifyEvery
		w.step(t, flow)
	}
	if got := writes.Writes(); len(got) > 0 {
		t.Errorf("nothing changed, and it wrote %q", got)
	}
	w.Applier = apply.New(writes, w.Client)
	w.step(t, flow)
	if got := writes.Writes(); len(got) > 0 {
		t.Errorf("nothing changed while another operator took over, and it wrote %q", got)
	}
}
