// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"github.com/orderflow-dev/orderflow/test/ledger"
)

// Verdict is what an experiment came to. Times are in milliseconds since 1970.
type Verdict struct {
	// Paid counts the orders.
	Paid int
	// Lost are paid orders without an effect and without a dead letter that says why.
	Lost []string
	// Duplicates are when calls were made that had been made before.
	Duplicates []int64
	// DuplicateEffects counts effects beyond an order's first.
	DuplicateEffects int
	// DeadLetters are the orders that ended so, by reason.
	DeadLetters map[string]int
	// Unexplained are dead letters without a reason.
	Unexplained []string
}

// Settle waits until every order that was paid is accounted for and the group has nothing left to do, for as long as patience lasts.
func (f *Flow) Settle(p *Party) (settled bool) {
	f.t.Helper()
	settled = Await(f.t.Context(), patience, func() bool { return f.lag() == 0 && len(f.Judge(p).Lost) == 0 })
	if !settled {
		return false
	}
	return f.rest()
}

// Drain waits until the group has nothing left to do, for as long as patience lasts: Settle where there are too many orders to be judged again and again.
func (f *Flow) Drain() (drained bool) {
	f.t.Helper()
	return Await(f.t.Context(), patience, func() bool { return f.lag() == 0 }) && f.rest()
}

// rest waits for retries that may be on their way.
func (f *Flow) rest() bool {
	Wait(f.t.Context(), LongestDelay)
	return Await(f.t.Context(), patience, func() bool { return f.lag() == 0 })
}

// Judge compares what was paid with what the party did.
func (f *Flow) Judge(p *Party) Verdict {
	f.t.Helper()
	letters, calls, copies := f.letters(), p.Calls(), f.copies()
	v := judge(f.Paid(), copies, calls, letters)
	v.DeadLetters = map[string]int{}
	for _, l := range letters {
		v.DeadLetters[l.Reason]++
	}
	return v
}

// judge is pure. An order whose message lies in the broker n times may be called for n times.
func judge(paid []Paid, copies map[string]int, calls []ledger.Call, letters []ledger.DeadLetter) Verdict {
	evidence := ledger.Evidence{Calls: calls, DeadLetters: letters, Steps: []ledger.Step{{Handler: handler, Step: "push", Provider: provider, Action: action}}}
	for id := range copies {
		evidence.Orders = append(evidence.Orders, ledger.Order{ID: id, Told: ledger.Accepted})
	}
	for _, o := range paid {
		evidence.Orders = append(evidence.Orders, ledger.Order{ID: o.ID, Told: ledger.Accepted})
	}
	report := ledger.Judge(evidence)
	v := Verdict{Paid: report.Paid, Lost: report.Lost, DuplicateEffects: report.DuplicateEffects, Unexplained: report.UnexplainedDeadLetters}
	seen := map[string]int{}
	for _, c := range calls {
		if !c.Accepted {
			continue
		}
		if seen[c.OrderID]++; seen[c.OrderID] > max(1, copies[c.OrderID]) {
			v.Duplicates = append(v.Duplicates, c.AtMillis)
		}
	}
	return v
}

// Window is what may come again after a fault that began at a moment and lasted until another, both in milliseconds since 1970: calls of messages that were
// not committed when it began, and calls that were made while it lasted. Committed are the offsets when it began; a queue whose offset is not known, -1, is
// none of the fault's.
func Window(committed []int64, from, to int64, paid []Paid, calls []ledger.Call) (window int) {
	where := make(map[string]Paid, len(paid))
	for _, o := range paid {
		where[o.ID] = o
	}
	for _, c := range calls {
		o, known := where[c.OrderID]
		switch {
		case !known || committed[o.Queue] < 0:
		case c.AtMillis <= from && o.Offset >= committed[o.Queue], c.AtMillis > from && c.AtMillis <= to:
			window++
		}
	}
	return window
}
