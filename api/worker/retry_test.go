// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRetryPlan(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for name, c := range map[string]struct {
		retry Retry
		want  []time.Duration
	}{
		"one attempt is no retry":                      {Retry{1, Duration(6 * h)}, nil},
		"delays begin at the third level":              {Retry{4, Duration(6 * h)}, []time.Duration{10 * s, 30 * s, m}},
		"delays that add up to maxDuration are within": {Retry{16, Duration(100 * s)}, []time.Duration{10 * s, 30 * s, m}},
		"delays beyond maxDuration are cut":            {Retry{16, Duration(99 * s)}, []time.Duration{10 * s, 30 * s}},
		"a maxDuration below the first delay":          {Retry{16, Duration(s)}, nil},
		"the default": {Retry{16, Duration(6 * h)}, []time.Duration{
			10 * s, 30 * s, m, 2 * m, 3 * m, 4 * m, 5 * m, 6 * m, 7 * m, 8 * m, 9 * m, 10 * m, 20 * m, 30 * m, h}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.retry.Plan()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAMessageWhoseOrderIsKeptIsTriedAgainSooner(t *testing.T) {
	const s, h = time.Second, time.Hour
	for name, c := range map[string]struct {
		retry Retry
		want  []time.Duration
	}{
		"delays double up to half a minute": {Retry{9, Duration(6 * h)}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, 30 * s}},
		"and are cut by maxDuration":        {Retry{9, Duration(15 * s)}, []time.Duration{s, 2 * s, 4 * s, 8 * s}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, (Structure{Retry: c.retry, OrderKeyExpression: "order.id"}).Plan()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADelayIsRoundedUpToADelayLevel(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		level int
	}{
		"nothing asked leaves it to the broker": {0, 0},
		"below the first":                       {300 * time.Millisecond, 1},
		"the first":                             {time.Second, 1},
		"just above the first":                  {time.Second + 1, 2},
		"between":                               {31 * time.Second, 5},
		"the last":                              {2 * time.Hour, 18},
		"above the last":                        {5 * time.Hour, 18},
	} {
		t.Run(name, func(t *testing.T) {
			if got := DelayLevel(c.after); got != c.level {
				t.Errorf("level %d, want %d", got, c.level)
			}
		})
	}
}

func TestWhatABrokerMakesOfAPlan(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	four := Retry{4, Duration(6 * h)} // asks for the levels 3, 4 and 5
	for name, c := range map[string]struct {
		retry  Retry
		levels []time.Duration
		want   []time.Duration
	}{
		"RocketMQ's levels make what is asked for": {four, DelayLevels(), []time.Duration{10 * s, 30 * s, m}},
		"levels are asked for by their number":     {four, []time.Duration{m, 2 * m, 3 * m, 4 * m, 5 * m}, []time.Duration{3 * m, 4 * m, 5 * m}},
		"levels behind those we know are not used": {four, append(DelayLevels(), 24*h), []time.Duration{10 * s, 30 * s, m}},
		"the last stands for those there are not":  {four, []time.Duration{s, 5 * s, 20 * s}, []time.Duration{20 * s, 20 * s, 20 * s}},
		"the cut is made by the delays asked for":  {Retry{4, Duration(40 * s)}, []time.Duration{h}, []time.Duration{h, h}},
		"without a delay no level is needed":       {Retry{1, Duration(6 * h)}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.retry.Delays(c.levels)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRetryPlanKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Retry{
			MaxAttempts: rapid.IntRange(1, 100).Draw(t, "maxAttempts"),
			MaxDuration: Duration(rapid.Int64Range(1, int64(24*time.Hour)).Draw(t, "maxDuration")),
		}
		plan := r.Plan()
		if len(plan) >= r.MaxAttempts {
			t.Fatalf("%d delays for %d attempts", len(plan), r.MaxAttempts)
		}
		var sum, last time.Duration
		for _, delay := range plan {
			if delay < last {
				t.Fatalf("%v follows %v", delay, last)
			}
			sum, last = sum+delay, delay
		}
		if sum > r.MaxDuration.D() {
			t.Fatalf("the delays add up to %v", sum)
		}
	})
}
