// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/test/ledger"
)

// callLasts is how long calls last here.
const callLasts = 10 * time.Millisecond

func TestWhatIsOutOfOrderIsFound(t *testing.T) {
	paid := []Paid{{ID: "a1", Key: "a", Offset: 1}, {ID: "b1", Key: "b", Offset: 2}, {ID: "a2", Key: "a", Offset: 3}, {ID: "a3", Key: "a", Offset: 4}}
	for sentence, c := range map[string]struct{ calls, want string }{
		"one after the other":                   {"a1@0 a2@10 a3@20 b1@20", ""},
		"another key waits for nobody":          {"a1@0 b1@0 a2@10 a3@20", ""},
		"one is called for too early":           {"a1@0 a3@10 a2@20 b1@30", "a3"},
		"the first is":                          {"a2@0 a1@10 a2@20", "a2"},
		"one begins while another is under way": {"a1@0 a2@5 a3@20", "a2"},
		"after a death all come again":          {"a1@0 a2@10 a3@20 a2@3000 a3@3010", ""},
		"all but one do":                        {"a1@0 a2@10 a3@20 a1@3000 a3@3010", "a3"},
		"a stranger's has no place":             {"x@0 a1@0 a2@10", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := strings.Join(Reordered(paid, callsOf(t, c.calls), callLasts), " "); got != c.want {
				t.Errorf("%q are out of order, want %q", got, c.want)
			}
		})
	}
}

func TestAQueueStandsStillWhileSomethingWaits(t *testing.T) {
	paid := []Paid{{ID: "a", AtMillis: 100}, {ID: "b", AtMillis: 200}, {ID: "c", AtMillis: 5000}, {ID: "d", Queue: 1, AtMillis: 200}}
	for sentence, c := range map[string]struct {
		calls string
		since int64
		want  int64 // of queue 0
	}{
		"nothing waited":                      {"a@100 b@200 c@5000", 0, 0},
		"one waited since it was paid":        {"a@110 b@900 c@5001", 0, 700},
		"it waited before the moment":         {"a@110 b@900 c@5001", 1000, 1},
		"all waited since the last call":      {"a@300 b@3300 c@5000", 300, 3000},
		"what comes again ends it":            {"a@110 a@1200 b@1250 c@5000", 0, 1000},
		"the later one was not held up alone": {"a@110 c@9000 b@9010", 0, 8800},
		"another queue's calls do not end it": {"a@110 d@500 b@900", 0, 700},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := Stood(c.since, paid, callsOf(t, c.calls)); len(got) != Queues || got[0] != time.Duration(c.want)*time.Millisecond {
				t.Errorf("stood still for %v, want %d ms", got, c.want)
			}
		})
	}
}

// callsOf reads "id@millis …". They are given as they ended, which need not be as they began.
func callsOf(t *testing.T, text string) (calls []ledger.Call) {
	t.Helper()
	for one := range strings.FieldsSeq(text) {
		id, at, _ := strings.Cut(one, "@")
		millis, err := time.ParseDuration(at + "ms")
		must(t, err)
		calls = append(calls, call(id, millis.Milliseconds(), true))
	}
	slices.Reverse(calls)
	slices.SortStableFunc(calls, func(a, b ledger.Call) int { return int(b.AtMillis - a.AtMillis) })
	return calls
}
