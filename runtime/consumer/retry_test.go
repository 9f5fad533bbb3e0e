// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestADelayIsRoundedUpToTheBrokersLevels(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		level int
	}{
		{"nothing asked leaves it to the broker", 0, 0},
		{"below the first", 300 * time.Millisecond, 1},
		{"the first", time.Second, 1},
		{"just above the first", time.Second + 1, 2},
		{"between", 31 * time.Second, 5},
		{"the last", 2 * time.Hour, 18},
		{"above the last", 5 * time.Hour, 18},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := delayLevel(worker.DelayLevels(), tt.after); got != tt.level {
				t.Errorf("level %d, want %d", got, tt.level)
			}
		})
	}
}
