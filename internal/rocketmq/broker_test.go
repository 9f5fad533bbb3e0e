// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDelayLevelsAreReadAsBrokersDo(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for sentence, test := range map[string]struct {
		text  string
		want  []time.Duration
		wrong string
	}{
		"every unit":                      {"1s 5m 2h 1d", []time.Duration{s, 5 * m, 2 * h, 24 * h}, ""},
		"more blanks than one":            {" 1s  2s ", []time.Duration{s, 2 * s}, ""},
		"no delay at all is a delay":      {"0s", []time.Duration{0}, ""},
		"nothing":                         {" ", nil, "there are no delay levels"},
		"a number alone":                  {"1s 5", nil, `"5" is no delay level like 30s, 5m, 2h or 1d`},
		"a unit alone":                    {"s", nil, `"s" is no delay level`},
		"a unit there is not":             {"1s 5w", nil, `"5w" is no delay level`},
		"two units in one, as Go has it":  {"1h30m", nil, `"1h30m" is no delay level`},
		"a fraction":                      {"1.5h", nil, `"1.5h" is no delay level`},
		"less than nothing":               {"-1s", nil, `"-1s" is no delay level`},
		"more than a duration can be":     {"9223372036854775807d", nil, `"9223372036854775807d" is no delay level`},
		"more than a broker would keep":   {"4000d", nil, `"4000d" is no delay level`},
		"a text nobody would want to see": {"0123456789012345678901234567890s9", nil, `"01234567890123456789" is no delay level`},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := ParseDelayLevels(test.text)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (test.wrong == "") || err != nil && !strings.HasPrefix(err.Error(), test.wrong) {
				t.Errorf("the error is %v, want %q", err, test.wrong)
			}
		})
	}
}
