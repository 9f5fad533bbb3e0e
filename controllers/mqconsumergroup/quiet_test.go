// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"
)

func TestAGroupThatIsAsItWasIsNotWrittenAndNothingIsSaid(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	for range 2 {
		_, err := w.reconcile()
		w.must(err)
	}
	w.Quiet(t, w.group, func() {
		_, err := w.reconcile()
		w.must(err)
	})
}
