// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
)

// Table prints all figures with their goals. The result says whether every goal was met by a figure with samples.
func Table(w io.Writer, files []File) (met bool, err error) {
	met = true
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "TARGET\tFIGURE\tVALUE\tSPREAD\tGOAL\tMET")
	for _, f := range files {
		for _, name := range slices.Sorted(maps.Keys(f.Detail.Definitions)) {
			row := f.row(name)
			met = met && row.verdict != notMet
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Target, name, row.value, row.spread, row.goal, row.verdict)
		}
	}
	return met, out.Flush()
}

const notMet = "NO"

type tableRow struct{ value, spread, goal, verdict string }

func (f *File) row(name string) tableRow {
	row := tableRow{value: ErrNoSamples.Error(), spread: "-", goal: f.Detail.Definitions[name].Goal, verdict: "-"}
	if row.goal == "" {
		row.goal = "-"
	} else {
		row.verdict = notMet
	}
	figure, ok := f.Figures[name]
	if !ok {
		return row
	}
	row.value = format(figure)
	if s, ok := f.Detail.Spreads[name]; ok {
		row.spread = fmt.Sprintf("%s … %s (%d)", format(s.Min), format(s.Max), s.Rounds)
	}
	if row.goal == "-" {
		return row
	}
	switch ok, err := met(row.goal, figure); {
	case err != nil:
		row.verdict = notMet + ": " + err.Error()
	case ok:
		row.verdict = "yes"
	}
	return row
}

func format(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }
