// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Figure defines one figure.
type Figure struct {
	// Name is the figure's in the file, with its unit: pay_p99_ms.
	Name string `json:"-"`
	// Formula computes it from the samples.
	Formula string `json:"formula"`
	// Goal is the condition on x that it should meet; empty is no goal.
	Goal string `json:"goal,omitempty"`
}

// Spread is how far the rounds behind a figure lie apart.
type Spread struct {
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"`
}

// File is the content of out/<target>.json.
type File struct {
	Target  string             `json:"target"`
	Commit  string             `json:"commit"`
	Command string             `json:"command"`
	Machine string             `json:"machine"`
	Figures map[string]float64 `json:"figures"`
	Detail  Detail             `json:"detail"`
}

// Detail is what explains the figures.
type Detail struct {
	Definitions map[string]Figure `json:"definitions"`
	Spreads     map[string]Spread `json:"spreads,omitempty"`
	// Notes are the target's own.
	Notes map[string]any `json:"notes,omitempty"`
}

// Recorder collects one run of a target. It is not safe for concurrent use.
type Recorder struct {
	file    File
	samples Samples
}

// New makes a recorder of a run on the given commit and machine, see Commit and Machine.
func New(target, command, commit, machine string) *Recorder {
	return &Recorder{
		file: File{
			Target: target, Command: command, Commit: commit, Machine: machine,
			Figures: map[string]float64{},
			Detail:  Detail{Definitions: map[string]Figure{}, Spreads: map[string]Spread{}, Notes: map[string]any{}},
		},
		samples: Samples{},
	}
}

// Sample adds raw values to a series. A call without values makes an empty series: count gives 0.
func (r *Recorder) Sample(series string, values ...float64) {
	r.samples[series] = append(r.samples[series], values...)
}

// Figure defines a figure; the last definition of a name counts.
func (r *Recorder) Figure(f Figure) { r.file.Detail.Definitions[f.Name] = f }

// Note adds something to detail that JSON can show.
func (r *Recorder) Note(name string, value any) { r.file.Detail.Notes[name] = value }

// Write computes the figures and writes both files. A figure that cannot be computed is an error, but everything else is
// written.
func (r *Recorder) Write(dir string) (File, error) {
	err := r.file.compute(r.samples)
	if mkErr := os.MkdirAll(dir, 0o755); mkErr != nil {
		return r.file, errors.Join(err, mkErr)
	}
	err = errors.Join(err, writeSamplesFile(samplesPath(dir, r.file.Target), r.samples))
	encoded, jsonErr := json.MarshalIndent(r.file, "", "  ")
	if jsonErr != nil {
		return r.file, errors.Join(err, jsonErr)
	}
	return r.file, errors.Join(err, os.WriteFile(filepath.Join(dir, r.file.Target+".json"), append(encoded, '\n'), 0o644))
}

// compute replaces the figures by what the formulas give on the samples.
func (f *File) compute(samples Samples) error {
	f.Figures, f.Detail.Spreads = map[string]float64{}, map[string]Spread{}
	var errs []error
	for name, def := range f.Detail.Definitions {
		rounds, err := evaluate(def.Formula, samples)
		if err != nil {
			errs = append(errs, fmt.Errorf("figure %s: %w", name, err))
			continue
		}
		f.Figures[name] = Quantile(rounds, 0.5)
		if len(rounds) > 1 {
			f.Detail.Spreads[name] = Spread{Min: slices.Min(rounds), Max: slices.Max(rounds), Rounds: len(rounds)}
		}
	}
	return errors.Join(errs...)
}

// Read reads every target's file in dir, by name, and computes its figures again from the samples beside it. What is not
// to be computed is missing in Figures; only files that cannot be read at all are errors.
func Read(dir string) ([]File, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var files []File
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var f File
		if err := json.Unmarshal(content, &f); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		written := f.Figures
		samples, err := readSamplesFile(samplesPath(dir, strings.TrimSuffix(filepath.Base(path), ".json")))
		if err != nil {
			samples = Samples{}
		}
		if err := errors.Join(err, f.compute(samples)); err != nil {
			f.note("problems", strings.Split(err.Error(), "\n"))
		}
		f.noteUndefined(written)
		files = append(files, f)
	}
	return files, nil
}

// noteUndefined keeps a figure that somebody wrote without a formula in the table, where it shows no samples.
func (f *File) noteUndefined(written map[string]float64) {
	if f.Detail.Definitions == nil {
		f.Detail.Definitions = map[string]Figure{}
	}
	for name := range written {
		if _, ok := f.Detail.Definitions[name]; !ok {
			f.Detail.Definitions[name] = Figure{}
		}
	}
}

func (f *File) note(name string, value any) {
	if f.Detail.Notes == nil {
		f.Detail.Notes = map[string]any{}
	}
	f.Detail.Notes[name] = value
}

func samplesPath(dir, target string) string { return filepath.Join(dir, target+".samples.gz") }
