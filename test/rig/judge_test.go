// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/orderflow-dev/orderflow/test/ledger"
)

func call(id string, at int64, effect bool) ledger.Call {
	return ledger.Call{Provider: provider, Action: action, OrderID: id, AtMillis: at, Accepted: true, Effect: effect}
}

func TestTheVerdictFindsWhatWasPlanted(t *testing.T) {
	paid := []Paid{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	once := map[string]int{"a": 1, "b": 1, "c": 1}
	refused := call("c", 3, false)
	refused.Accepted = false
	for name, c := range map[string]struct {
		copies  map[string]int
		calls   []ledger.Call
		letters []ledger.DeadLetter
		want    Verdict
	}{
		"all is well":                                {once, []ledger.Call{call("a", 1, true), call("b", 2, true), call("c", 3, true)}, nil, Verdict{Paid: 3}},
		"a call that was refused is no effect":       {once, []ledger.Call{call("a", 1, true), call("b", 2, true), refused}, nil, Verdict{Paid: 3, Lost: []string{"c"}}},
		"a dead letter with its reason":              {once, []ledger.Call{call("a", 1, true), call("b", 2, true)}, []ledger.DeadLetter{{Handler: handler, OrderID: "c", Reason: "R"}}, Verdict{Paid: 3}},
		"a dead letter without one":                  {once, []ledger.Call{call("a", 1, true), call("b", 2, true)}, []ledger.DeadLetter{{Handler: handler, OrderID: "c"}}, Verdict{Paid: 3, Lost: []string{"c"}, Unexplained: []string{"c"}}},
		"called twice, one effect":                   {once, []ledger.Call{call("a", 1, true), call("b", 2, true), call("c", 3, true), call("a", 4, false)}, nil, Verdict{Paid: 3, Duplicates: []int64{4}}},
		"called twice, two effects":                  {once, []ledger.Call{call("a", 1, true), call("b", 2, true), call("c", 3, true), call("a", 4, true)}, nil, Verdict{Paid: 3, Duplicates: []int64{4}, DuplicateEffects: 1}},
		"a message that lies there twice":            {map[string]int{"a": 2, "b": 1, "c": 1}, []ledger.Call{call("a", 1, true), call("b", 2, true), call("c", 3, true), call("a", 4, false)}, nil, Verdict{Paid: 3}},
		"stored, although nobody was told, and lost": {map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, []ledger.Call{call("a", 1, true), call("b", 2, true), call("c", 3, true)}, nil, Verdict{Paid: 4, Lost: []string{"d"}}},
		"confirmed, and the broker has lost it":      {map[string]int{"a": 1, "b": 1}, []ledger.Call{call("a", 1, true), call("b", 2, true)}, nil, Verdict{Paid: 3, Lost: []string{"c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, judge(paid, c.copies, c.calls, c.letters), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheWindowIsWhatWasNotCommittedAndWhatWasCalledMeanwhile(t *testing.T) {
	paid := []Paid{{ID: "committed", Offset: 4}, {ID: "finished", Offset: 5}, {ID: "in flight", Offset: 6}, {ID: "meanwhile", Offset: 7}, {ID: "after", Offset: 8}, {ID: "elsewhere", Queue: 1}}
	calls := []ledger.Call{call("committed", 90, true), call("finished", 95, true), call("in flight", 100, true), call("meanwhile", 150, true), call("after", 201, true), call("elsewhere", 99, true), call("a stranger", 99, true)}
	for _, c := range []struct {
		committed []int64
		to        int64
		want      int
	}{{[]int64{5, -1}, 100, 2}, {[]int64{5, -1}, 200, 3}, {[]int64{5, 0}, 200, 4}, {[]int64{9, -1}, 100, 0}} {
		if got := Window(c.committed, 100, c.to, paid, calls); got != c.want {
			t.Errorf("from 100 to %d, committed %v: %d, want %d", c.to, c.committed, got, c.want)
		}
	}
}
