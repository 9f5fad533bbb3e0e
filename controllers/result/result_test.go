// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestTheQueueIsToldWhenToLookAgain(t *testing.T) {
	broken := errors.New("connection refused")
	for sentence, test := range map[string]struct {
		results  []Result
		min, max time.Duration
		err      error
	}{
		"all done: at the interval, spread":            {min: 54 * time.Second, max: 66 * time.Second},
		"the most impatient step decides":              {results: []Result{Wait("A", 20*time.Second, ""), Wait("B", 5*time.Second, "")}, min: 5 * time.Second, max: 5 * time.Second},
		"a stalled step is looked at again too":        {results: []Result{Stall("A", "")}, min: 54 * time.Second, max: 66 * time.Second},
		"nobody waits longer than the interval":        {results: []Result{Wait("A", time.Hour, "")}, min: 54 * time.Second, max: 66 * time.Second},
		"a step that failed leaves it to the back-off": {results: []Result{Wait("A", time.Second, ""), Fail("B", broken, "reading")}, err: broken},
	} {
		t.Run(sentence, func(t *testing.T) {
			answer, err := Reconcile(time.Minute, test.results...)
			if !errors.Is(err, test.err) {
				t.Fatalf("the error is %v, want %v", err, test.err)
			}
			if answer.RequeueAfter < test.min || answer.RequeueAfter > test.max {
				t.Errorf("it is looked at again after %v, want %v to %v", answer.RequeueAfter, test.min, test.max)
			}
		})
	}
}

func TestTheWorstResultIsTheFirstOfTheWorstState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		states := rapid.SliceOf(rapid.IntRange(int(Done), int(Stalled))).Draw(t, "states")
		var results []Result
		for i, state := range states {
			results = append(results, Result{State: State(state), After: time.Duration(i)})
		}
		worst := Worst(results...)
		for i, r := range results {
			if r.State > worst.State || r.State == worst.State && r.State != Done && time.Duration(i) < worst.After {
				t.Fatalf("of %v the worst is said to be %v, not %v", results, worst, r)
			}
		}
	})
}

func TestBackoffEndsAtHalfAMinute(t *testing.T) {
	limiter := Backoff()
	var last time.Duration
	for range 20 {
		last = limiter.When(reconcile.Request{})
	}
	if last != maxBackoff {
		t.Errorf("after 20 failures the pause is %v, want %v", last, maxBackoff)
	}
}
