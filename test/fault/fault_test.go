// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"slices"
	"testing"

	"github.com/orderflow-dev/orderflow/test/rig"
)

func TestFaults(t *testing.T) {
	r := newRecord(t.Context())
	t.Cleanup(func() { r.write(t, "../..") }) // once every fault has been judged
	worker := rig.Build(t)
	shared := rig.NewLab(t, worker)
	t.Run("outage_sim", func(t *testing.T) { simulateOutage(t, r) })
	t.Run("outage", func(t *testing.T) { t.Parallel(); outage(t, shared, r) }) // the longest begin first
	t.Run("broker", func(t *testing.T) {
		t.Parallel()
		own := rig.NewLab(t, worker)
		for _, f := range brokerFaults() {
			t.Run(f.name, func(t *testing.T) { playAll(t, own, f, r) })
		}
	})
	for _, f := range slices.Concat(workerFaults(r), orderlyFaults(r), providerFaults()) {
		t.Run(f.name, func(t *testing.T) { t.Parallel(); play(t, shared, f, r) })
	}
	sick := rig.BuildSick(t)
	for _, f := range sickFaults(sick) {
		t.Run(f.name, func(t *testing.T) { t.Parallel(); play(t, shared, f, r) })
	}
}
