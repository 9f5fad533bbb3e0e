// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import "testing"

func TestGarbageMayGatherByWhatIsHeld(t *testing.T) {
	for sentence, test := range map[string]struct {
		held uint64
		want int
	}{
		"an operator that holds nothing yet collects as any process":  {0, 100},
		"so does one of few objects":                                  {20 << 20, 100},
		"one of a thousand groups has as much garbage as larger ones": {55 << 20, 76},
		"one of five thousand":                                        {140 << 20, 30},
		"one of ten thousand has more, lest it does nothing else":     {280 << 20, 30},
	} {
		if got := percentOf(test.held); got != test.want {
			t.Errorf("%s: %d %%, want %d", sentence, got, test.want)
		}
	}
}
