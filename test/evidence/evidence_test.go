// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// record writes a small run and returns its folder.
func record(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	r := New("demo", "make demo", "c0ffee", "a machine")
	for i := range 2501 { // More than two lines of samples.
		r.Sample("pay_ms", float64(i))
	}
	r.Sample("healthy_1", 10)
	r.Sample("slow_1", 11)
	r.Sample("healthy_2", 10)
	r.Sample("slow_2", 15)
	r.Sample("lost")
	r.Figure(Figure{Name: "pay_p99_ms", Formula: `quantile("pay_ms", 0.99)`, Goal: "x < 3000.0"})
	r.Figure(Figure{Name: "ratio", Formula: `[median("slow_1")/median("healthy_1"), median("slow_2")/median("healthy_2")]`, Goal: "x <= 1.1"})
	r.Figure(Figure{Name: "lost", Formula: `count("lost")`, Goal: "x == 0.0"})
	r.Note("rounds", 2)
	if _, err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWrittenFileHasTheShapeEverybodyReads(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(record(t), "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	detail := got["detail"].(map[string]any)
	delete(got, "detail")
	want := map[string]any{
		"target": "demo", "commit": "c0ffee", "command": "make demo", "machine": "a machine",
		"figures": map[string]any{"pay_p99_ms": 2475.0, "ratio": 1.3, "lost": 0.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("demo.json (-want +got):\n%s", diff)
	}
	wantSpread := map[string]any{"ratio": map[string]any{"min": 1.1, "max": 1.5, "rounds": 2.0}}
	if diff := cmp.Diff(wantSpread, detail["spreads"]); diff != "" {
		t.Errorf("detail.spreads (-want +got):\n%s", diff)
	}
}

func table(t *testing.T, dir string) (string, bool) {
	t.Helper()
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	met, err := Table(&out, files)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), met
}

// row finds a figure's line and squeezes its spaces.
func row(t *testing.T, table, figure string) string {
	t.Helper()
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == figure {
			return strings.Join(fields, " ")
		}
	}
	t.Fatalf("no line for %s in:\n%s", figure, table)
	return ""
}

func TestTableShowsFiguresBesideGoals(t *testing.T) {
	out, met := table(t, record(t))
	if met {
		t.Error("all goals met, though ratio is 1.3")
	}
	for figure, want := range map[string]string{
		"pay_p99_ms": "demo pay_p99_ms 2475 - x < 3000.0 yes",
		"ratio":      "demo ratio 1.3 1.1 … 1.5 (2) x <= 1.1 NO",
		"lost":       "demo lost 0 - x == 0.0 yes",
	} {
		if got := row(t, out, figure); got != want {
			t.Errorf("line of %s: %q, want %q", figure, got, want)
		}
	}
}

func TestFiguresComeFromTheSamplesAlone(t *testing.T) {
	t.Run("a figure changed by hand is computed again", func(t *testing.T) {
		dir := record(t)
		path := filepath.Join(dir, "demo.json")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(content), `"ratio": 1.3`, `"ratio": 1.0`, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		out, _ := table(t, dir)
		if got := row(t, out, "ratio"); !strings.Contains(got, "ratio 1.3 ") {
			t.Errorf("line of ratio: %q, want the value of the samples, 1.3", got)
		}
	})
	t.Run("without the samples file there is no figure", func(t *testing.T) {
		dir := record(t)
		if err := os.Remove(filepath.Join(dir, "demo.samples.gz")); err != nil {
			t.Fatal(err)
		}
		out, met := table(t, dir)
		for _, figure := range []string{"pay_p99_ms", "ratio", "lost"} {
			if got := row(t, out, figure); !strings.Contains(got, "no samples") || met {
				t.Errorf("line of %s: %q (all goals met: %v), want no samples and goals not met", figure, got, met)
			}
		}
	})
	t.Run("a figure without a formula has no samples", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte(`{"target":"x","figures":{"fast":9}}`), 0o644); err != nil {
			t.Fatal(err)
		}
		out, _ := table(t, dir)
		if got := row(t, out, "fast"); got != "x fast no samples - - -" {
			t.Errorf("line of fast: %q", got)
		}
	})
}

func TestFormulasThatCannotBeComputedSayWhy(t *testing.T) {
	samples := Samples{"a": {1, 2, 3}, "empty": {}}
	for formula, want := range map[string]string{
		`median("missing")`:            `series "missing": no samples`,
		`median("empty")`:              `series "empty": no samples`,
		`quantile("a", 99.0)`:          "not from 0 to 1",
		`median("a") / count("empty")`: "+Inf",
		`medain("a")`:                  "undeclared reference",
		`"text"`:                       "neither a double",
		`[]`:                           "no samples",
	} {
		if got, err := evaluate(formula, samples); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("evaluate(%s) = %v, %v; want an error that contains %q", formula, got, err, want)
		}
	}
}

func TestQuantileInterpolates(t *testing.T) {
	for _, test := range []struct {
		values  []float64
		q, want float64
	}{
		{[]float64{5}, 0.99, 5},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4, 5}, 0, 1},
		{[]float64{1, 2, 3, 4, 5}, 1, 5},
	} {
		if got := Quantile(test.values, test.q); got != test.want {
			t.Errorf("Quantile(%v, %v) = %v, want %v", test.values, test.q, got, test.want)
		}
	}
}
