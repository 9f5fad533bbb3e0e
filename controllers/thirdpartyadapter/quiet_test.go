// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"testing"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

func TestAnAdapterThatIsAsItWasIsNotWrittenAndNothingIsSaid(t *testing.T) {
	for sentence, circuit := range map[string]worker.Circuit{"in use": worker.CircuitClosed, "down": worker.CircuitOpen} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			adapter := w.Adapter("sms")
			w.Create(t, adapter, w.Group("push", "Orders"))
			w.reports["push"] = []workersync.Report{says(circuit, "503", w.Now())}
			w.step(t, adapter)
			w.Quiet(t, adapter, func() { w.step(t, adapter) })
		})
	}
}
