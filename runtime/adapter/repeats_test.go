// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// TestAFailingThirdPartyGetsLittleMoreThanTheUsualLoad: all requests fail, and the circuit never opens. The first request finds the budget full.
func TestAFailingThirdPartyGetsLittleMoreThanTheUsualLoad(t *testing.T) {
	const messages = 500
	for name, c := range map[string]struct {
		percentage, minimum int
		want                int
	}{
		"a fifth, and the reserve": {20, 1, messages + 10 + (messages-1)/5},
		"a hundredth":              {1, 1, messages + 10 + (messages-1)/100},
		"as many as requests":      {100, 1, messages + 10 + messages - 1},
		"a larger reserve":         {20, 50, messages + 50 + (messages-1)/5},
		"no bound":                 {0, 1, 5 * messages},
	} {
		t.Run(name, func(t *testing.T) {
			stubborn := func(cfg *Config) {
				cfg.Limits.RequestAttempts, cfg.Limits.RetryPercentage = 5, c.percentage
				cfg.Limits.Breaker.MinimumRequests = c.minimum
			}
			bubble(t, stubborn, answers{status(500)}, func(t *testing.T, a *Adapter, s *scripted, o *observed) {
				a.circuit.config.MinimumRequests = 1 << 30 // the budget alone
				for range messages {
					if got := a.Call(t.Context(), request()); got.Kind != outcome.Retry {
						t.Fatalf("got %v, want retry: the attempt was made", got)
					}
				}
				if got := s.count(); got != c.want {
					t.Errorf("%d requests for %d messages, want %d", got, messages, c.want)
				}
				if made := o.repeated[true]; made != s.count()-messages {
					t.Errorf("%d repetitions were told, want %d", made, s.count()-messages)
				}
				if told := o.repeated[false] > 0; told != (c.percentage > 0) {
					t.Errorf("refused repetitions were told %d times", o.repeated[false])
				}
			})
		})
	}
}

func TestABudgetIsBoundedAndChangesLive(t *testing.T) {
	var r repeats
	r.set(50, 0)
	for range 1000 {
		r.earn()
	}
	drain := func() (n int) {
		for r.spend() {
			n++
		}
		return n
	}
	got := []int{drain(), drain()}
	r.set(50, 30) // what is more to keep is there at once
	got = append(got, drain())
	r.set(50, 0)
	for range 60 {
		r.earn()
	}
	got = append(got, drain())
	if diff := cmp.Diff([]int{10, 0, 20, 10}, got); diff != "" {
		t.Error(diff)
	}
}
