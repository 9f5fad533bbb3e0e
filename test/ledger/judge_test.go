// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var steps = []Step{
	{Handler: "push", Step: "send", Provider: "sms", Action: "send"},
	{Handler: "warehouse", Step: "create-waybill", Provider: "logistics", Action: "waybill"},
	{Handler: "warehouse", Step: "notify-shipment", Provider: "logistics", Action: "shipment"},
}

func order(id, sent string, told Told) Order { return Order{ID: id, Sent: sent, Told: told} }

// done is an accepted call, with its effect, for each step.
func done(id string) []Call {
	var calls []Call
	for _, s := range steps {
		calls = append(calls, Call{Provider: s.Provider, Action: s.Action, OrderID: id, Status: 200, Accepted: true, Effect: true})
	}
	return calls
}

// summary is the part of a report that a planted fault changes.
type summary struct {
	Lost, Strangers, Unexplained []string
	Duplicates, Effects          int
	Reported, Unreported         map[string][]string
}

func summarize(r Report) summary {
	return summary{r.Lost, r.Strangers, r.UnexplainedDeadLetters, r.Duplicates, r.DuplicateEffects, r.ReportedLosses, r.UnreportedLosses}
}

func TestJudgeFindsWhatWasPlanted(t *testing.T) {
	sms := Call{Provider: "sms", Action: "send", OrderID: "a", Status: 200, Accepted: true, Effect: true}
	tests := map[string]struct {
		evidence Evidence
		want     summary
	}{
		"every order had every step once": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: done("a")}, summary{},
		},
		"one step of one order is missing": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: done("a")[:2]}, summary{Lost: []string{"a"}},
		},
		"a call that was not accepted is no effect": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: append(done("a")[1:], Call{Provider: "sms", Action: "send", OrderID: "a", Status: 503})},
			summary{Lost: []string{"a"}},
		},
		"a call of another action of the provider does not stand in": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: append(done("a")[:2], done("a")[1])},
			summary{Lost: []string{"a"}, Duplicates: 1, Effects: 1},
		},
		"a second call with the same honoured key is a duplicate without effect": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: append(done("a"), Call{Provider: "sms", Action: "send", OrderID: "a", Accepted: true})},
			summary{Duplicates: 1},
		},
		"two more calls with effect are two duplicates and two duplicate effects": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: append(done("a"), sms, sms)},
			summary{Duplicates: 2, Effects: 2},
		},
		"a dead letter with a reason accounts for all steps of its handler": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: done("a")[:1],
				DeadLetters: []DeadLetter{{Handler: "warehouse", OrderID: "a", Reason: "HTTP 400"}}},
			summary{},
		},
		"a dead letter of another handler does not": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: done("a")[:1],
				DeadLetters: []DeadLetter{{Handler: "push", OrderID: "a", Reason: "HTTP 400"}}},
			summary{Lost: []string{"a"}},
		},
		"a dead letter without a reason accounts for nothing": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted)}, Calls: done("a")[:1], DeadLetters: []DeadLetter{{Handler: "warehouse", OrderID: "a"}}},
			summary{Lost: []string{"a"}, Unexplained: []string{"a"}},
		},
		"a call for an order nobody paid": {
			Evidence{Calls: []Call{sms}}, summary{Strangers: []string{"a"}},
		},
		"never arrived, by what the sender was told": {
			Evidence{Orders: []Order{
				order("s1", "Sync", Failed), order("s2", "Sync", Unknown), order("s3", "Sync", Accepted),
				order("a1", "Async", Failed), order("a2", "Async", Pending), order("o1", "Oneway", Accepted),
			}},
			summary{
				Lost:       []string{"a1", "a2", "o1", "s1", "s2", "s3"},
				Reported:   map[string][]string{"Sync": {"s1", "s2"}, "Async": {"a1"}},
				Unreported: map[string][]string{"Sync": {"s3"}, "Async": {"a2"}, "Oneway": {"o1"}},
			},
		},
		"an order that reached one handler was not lost by its sender": {
			Evidence{Orders: []Order{order("a", "Oneway", Accepted)}, Calls: done("a")[:1]}, summary{Lost: []string{"a"}},
		},
		"an order told to have failed that arrived all the same is no loss": {
			Evidence{Orders: []Order{order("a", "Sync", Unknown)}, Calls: done("a")}, summary{},
		},
		"an order listed twice counts once": {
			Evidence{Orders: []Order{order("a", "Sync", Accepted), order("a", "Sync", Accepted)}, Calls: done("a")}, summary{},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.evidence.Steps = steps
			got := summarize(Judge(test.evidence))
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("Judge (-want +got):\n%s", diff)
			}
		})
	}
}

// TestJudgeCountsAnyMixture plants a random number of accepted calls for every order and step and expects to find exactly
// what was planted, in whatever order the calls come.
func TestJudgeCountsAnyMixture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "orders")
		e := Evidence{Steps: steps}
		lost, duplicates, effects := map[string]bool{}, 0, 0
		handled := make([]int, len(steps))
		for i := range n {
			id := fmt.Sprint("order-", i)
			e.Orders = append(e.Orders, order(id, "Sync", Accepted))
			for k, s := range steps {
				calls := rapid.IntRange(0, 3).Draw(t, "accepted calls")
				withEffect := 0
				for range calls {
					effect := rapid.Bool().Draw(t, "effect")
					if effect {
						withEffect++
					}
					e.Calls = append(e.Calls, Call{Provider: s.Provider, Action: s.Action, OrderID: id, Accepted: true, Effect: effect})
				}
				for range rapid.IntRange(0, 2).Draw(t, "refused calls") {
					e.Calls = append(e.Calls, Call{Provider: s.Provider, Action: s.Action, OrderID: id, Status: 503})
				}
				if calls == 0 {
					lost[id] = true
				} else {
					handled[k]++
				}
				duplicates += max(0, calls-1)
				effects += max(0, withEffect-1)
			}
		}
		e.Calls = rapid.Permutation(e.Calls).Draw(t, "calls")
		r := Judge(e)
		if r.Paid != n || r.Duplicates != duplicates || r.DuplicateEffects != effects || !slices.Equal(r.Lost, sorted(lost)) {
			t.Fatalf("got paid %d, %d duplicates, %d duplicate effects, lost %v; want %d, %d, %d, %v",
				r.Paid, r.Duplicates, r.DuplicateEffects, r.Lost, n, duplicates, effects, sorted(lost))
		}
		for k, s := range r.Steps {
			if s.Handled != handled[k] || s.Handled+len(s.Lost) != n {
				t.Fatalf("step %s handled %d and lost %d of %d, want %d handled", s.Step, s.Handled, len(s.Lost), n, handled[k])
			}
		}
	})
}

func TestReadSaysWhichLineIsBroken(t *testing.T) {
	_, err := Read[Order](strings.NewReader("{\"id\":\"a\"}\n{\"id\":"))
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("Read of a broken second line: %v, want an error that names line 2", err)
	}
	got, err := Read[Order](strings.NewReader("{\"id\":\"a\"}\n\n{\"id\":\"b\",\"told\":\"failed\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Order{{ID: "a"}, {ID: "b", Told: Failed}}, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
}
