// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestAWrongURLIsToldFromMessagesThatAskForWhatIsNotThere(t *testing.T) {
	times := func(n int, code int) []int { return slices.Repeat([]int{code}, n) }
	for name, c := range map[string]struct {
		answers [][]int
		want    string
	}{
		"a URL that is wrong parks after a few":            {[][]int{times(8, 404)}, "dead dead dead dead park park park park"},
		"so does a method that is":                         {[][]int{times(6, 405)}, "dead dead dead dead park park"},
		"what succeeded once is trusted":                   {[][]int{times(1, 200), times(7, 404)}, "done dead dead dead dead dead dead dead"},
		"even if it was in doubt":                          {[][]int{times(5, 404), times(1, 200), times(5, 404)}, "dead dead dead dead park done dead dead dead dead dead"},
		"another refusal shows that something is there":    {[][]int{times(4, 404), times(1, 422), times(4, 404)}, "dead dead dead dead dead dead dead dead dead"},
		"an outage in between shows nothing":               {[][]int{times(4, 404), times(1, 500), times(1, 404)}, "dead dead dead dead retry park"},
		"what is gone was there, and is the message's own": {[][]int{times(7, 410)}, "dead dead dead dead dead dead dead"},
	} {
		t.Run(name, func(t *testing.T) {
			codes := slices.Concat(c.answers...)
			var script answers
			for _, code := range codes {
				script = append(script, status(code))
			}
			bubble(t, nil, script, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
				var got []string
				for range codes {
					o := a.Call(t.Context(), request())
					got = append(got, o.Kind.String())
					if o.Kind == outcome.Park && (o.Reason != NothingThere || !strings.Contains(o.Detail, "the adapter's url or the step's path is wrong")) {
						t.Errorf("parked by %s: %s", o.Reason, o.Detail)
					}
				}
				if diff := cmp.Diff(strings.Fields(c.want), got); diff != "" {
					t.Error(diff)
				}
				if state := a.Report().Circuit; state != worker.CircuitClosed {
					t.Errorf("the circuit is %s", state)
				}
			})
		})
	}
}

func TestEachStepHasAPathThatMayBeWrong(t *testing.T) {
	bubble(t, nil, answers{status(200), status(404)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		a.Call(t.Context(), request())
		second := request()
		second.Step = "second"
		for range doubt - 1 {
			a.Call(t.Context(), second)
		}
		if o := a.Call(t.Context(), second); o.Kind != outcome.Park {
			t.Errorf("the success of another step counts: got %v", o)
		}
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Dead {
			t.Errorf("another step's wrong path counts: got %v", o)
		}
	})
}

func TestAConflictIsARequestUnderWayOnlyWhereKeysAreHonoured(t *testing.T) {
	for honoured, want := range map[bool]outcome.Outcome{
		true:  {Kind: outcome.Retry, Reason: KeyInUse},
		false: {Kind: outcome.Dead, Reason: RequestRefused},
	} {
		conflicts := func(c *Config) { fragile(c); c.Spec.Idempotency.KeysHonoured = honoured }
		bubble(t, conflicts, answers{status(409)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
			for range 5 { // more than open the circuit
				if o := a.Call(t.Context(), request()); o.Kind != want.Kind || o.Reason != want.Reason {
					t.Errorf("keys honoured %v: got %v %s, want %v %s", honoured, o.Kind, o.Reason, want.Kind, want.Reason)
				}
			}
		})
	}
}
