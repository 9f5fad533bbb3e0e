// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/test/evidence"
)

// rounds is how often each contender of a comparison runs.
const rounds = 5

// record is the run's evidence.
type record struct{ *evidence.Recorder }

func newRecord(ctx context.Context) *record {
	return &record{evidence.New("bench-runtime", "make bench-runtime", evidence.Commit(ctx), evidence.Machine())}
}

// contender is one of those that a comparison lets run in turns; run does so once.
type contender struct {
	name string
	run  func(t *testing.T) map[string][]float64
}

// compare lets the contenders run in turns, in another order each round. What one measured in a round is the series <contender>_<what>_<round>.
func (r *record) compare(t *testing.T, contenders []contender) {
	t.Helper()
	for round := range rounds {
		for turn := range contenders {
			c := contenders[(round+turn)%len(contenders)]
			for what, values := range c.run(t) {
				r.Sample(fmt.Sprintf("%s_%s_%d", c.name, what, round), values...)
			}
		}
	}
}

// ratio is a figure with a value for each round: one series by another, by a statistic such as median(%q) or quantile(%q, 0.99).
func (r *record) ratio(figure, goal, statistic, over, under string) {
	r.perRound(figure, goal, func(round int) string {
		return fmt.Sprintf(statistic+" / "+statistic, fmt.Sprintf("%s_%d", over, round), fmt.Sprintf("%s_%d", under, round))
	})
}

// each is a figure without a goal that shows what one series came to.
func (r *record) each(figure, statistic, series string) {
	r.perRound(figure, "", func(round int) string { return fmt.Sprintf(statistic, fmt.Sprintf("%s_%d", series, round)) })
}

func (r *record) perRound(figure, goal string, formula func(round int) string) {
	var values []string
	for round := range rounds {
		values = append(values, formula(round))
	}
	r.Figure(evidence.Figure{Name: figure, Formula: "[" + strings.Join(values, ", ") + "]", Goal: goal})
}

// write writes out/bench-runtime.json and shows the table.
func (r *record) write(t *testing.T, root string) {
	t.Helper()
	file, err := r.Write(filepath.Join(root, "out"))
	if err != nil {
		t.Errorf("write the figures: %v", err)
	}
	met, err := evidence.Table(os.Stdout, []evidence.File{file})
	if err != nil || !met {
		t.Errorf("a goal is not met: %v", err)
	}
}
