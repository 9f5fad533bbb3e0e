// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/rig"
)

// record is the run's evidence; faults that happen side by side write to it.
type record struct {
	// whole: the run is of all faults. Another is no evidence.
	whole bool

	mu sync.Mutex
	*evidence.Recorder
}

func newRecord(ctx context.Context) *record {
	r := &record{
		whole:    strings.HasSuffix(flag.Lookup("test.run").Value.String(), "/"),
		Recorder: evidence.New("faults", "make faults", evidence.Commit(ctx), evidence.Machine()),
	}
	if r.whole {
		r.Figure(evidence.Figure{Name: "total_faults", Formula: `count("faults_s")`, Goal: "x >= 20.0"})
	}
	return r
}

// fault notes what one came to, and how long it lasted. Duplicates are the moments of the calls, the others are counted.
func (r *record) fault(name string, lasted time.Duration, v rig.Verdict, window int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Sample("faults_s", lasted.Seconds())
	r.Sample(name+"_paid", make([]float64, v.Paid)...)
	r.Sample(name+"_lost", make([]float64, len(v.Lost))...)
	r.Sample(name+"_window", make([]float64, window)...)
	r.Sample(name+"_duplicates", floats(v.Duplicates)...)
	r.Sample(name+"_duplicate_effects", make([]float64, v.DuplicateEffects)...)
	for _, f := range []struct{ figure, formula, goal string }{
		{"_lost", `count("%s_lost")`, "x == 0.0"},
		{"_duplicates", `count("%s_duplicates")`, ""},
		{"_window", `count("%s_window")`, ""},
		{"_duplicates_over_window", `count("%[1]s_duplicates") - count("%[1]s_window")`, "x <= 0.0"},
		{"_duplicate_effects", `count("%s_duplicate_effects")`, "x == 0.0"},
	} {
		r.Figure(evidence.Figure{Name: name + f.figure, Formula: fmt.Sprintf(f.formula, name), Goal: f.goal})
	}
	r.Note(name, map[string]any{"paid": v.Paid, "deadLetters": v.DeadLetters, "lasted": lasted.String()})
}

// figure notes one of the run's own figures.
func (r *record) figure(name, formula, goal string, samples ...float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Sample(name, samples...)
	r.Figure(evidence.Figure{Name: name, Formula: fmt.Sprintf(formula, name), Goal: goal})
}

// write shows the table, and writes out/faults.json if the run was whole.
func (r *record) write(t *testing.T, root string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := filepath.Join(root, "out")
	if !r.whole {
		out = t.TempDir()
	}
	file, err := r.Write(out)
	if err != nil {
		t.Errorf("write the figures: %v", err)
	}
	met, err := evidence.Table(os.Stdout, []evidence.File{file})
	if err != nil || !met {
		t.Errorf("a goal is not met: %v", err)
	}
}

func floats(values []int64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}
