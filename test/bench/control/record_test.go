// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"os"
	"testing"

	"github.com/orderflow-dev/orderflow/test/evidence"
)

// record is the run's evidence.
type record struct{ *evidence.Recorder }

func newRecord(ctx context.Context) *record {
	r := &record{evidence.New("bench-control", "make bench-control", evidence.Commit(ctx), evidence.Machine())}
	r.Note("groups", *large)
	return r
}

// figure defines a figure of the series that have been sampled.
func (r *record) figure(name, goal, formula string) {
	r.Figure(evidence.Figure{Name: name, Goal: goal, Formula: formula})
}

// write writes out/bench-control.json and shows the table.
func (r *record) write(t *testing.T) {
	t.Helper()
	file, err := r.Write("../../../out")
	if err != nil {
		t.Errorf("write the figures: %v", err)
	}
	met, err := evidence.Table(os.Stdout, []evidence.File{file})
	if err != nil || !met {
		t.Errorf("a goal is not met: %v", err)
	}
}
