// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// Samples are raw values by series.
type Samples map[string][]float64

// sampleLine is a line of a samples file. A long series takes several, in order.
type sampleLine struct {
	Series string    `json:"series"`
	Values []float64 `json:"values"`
}

const valuesPerLine = 1000

// WriteSamples writes samples in the form of a samples file.
func WriteSamples(w io.Writer, samples Samples) error {
	zip := gzip.NewWriter(w)
	encoder := json.NewEncoder(zip)
	for _, series := range slices.Sorted(maps.Keys(samples)) {
		values := samples[series]
		for first := true; first || len(values) > 0; first = false {
			n := min(len(values), valuesPerLine)
			if err := encoder.Encode(sampleLine{series, values[:n:n]}); err != nil {
				return fmt.Errorf("write samples of %s: %w", series, err)
			}
			values = values[n:]
		}
	}
	return zip.Close()
}

// ReadSamples reads what WriteSamples wrote.
func ReadSamples(r io.Reader) (Samples, error) {
	zip, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	samples := Samples{}
	decoder := json.NewDecoder(zip)
	for {
		var line sampleLine
		err := decoder.Decode(&line)
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read samples: %w", err)
		}
		samples[line.Series] = append(samples[line.Series], line.Values...)
	}
}

func writeSamplesFile(path string, samples Samples) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return WriteSamples(file, samples)
}

func readSamplesFile(path string) (samples Samples, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return ReadSamples(file)
}
