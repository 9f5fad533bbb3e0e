// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"maps"
	"slices"
)

// Evidence is everything Judge looks at.
type Evidence struct {
	Orders      []Order
	Calls       []Call
	DeadLetters []DeadLetter
	Steps       []Step
}

// Report is the judgement. All id lists are sorted.
type Report struct {
	// Paid counts the orders.
	Paid  int          `json:"paid"`
	Steps []StepReport `json:"steps"`
	// Lost are the orders that lost at least one step.
	Lost []string `json:"lost"`
	// Duplicates and DuplicateEffects add up those of the steps.
	Duplicates       int `json:"duplicates"`
	DuplicateEffects int `json:"duplicateEffects"`
	// ReportedLosses and UnreportedLosses are the orders that never arrived, by how they were sent.
	ReportedLosses   map[string][]string `json:"reportedLosses"`
	UnreportedLosses map[string][]string `json:"unreportedLosses"`
	// UnexplainedDeadLetters are orders with a dead letter that gives no reason: these account for nothing.
	UnexplainedDeadLetters []string `json:"unexplainedDeadLetters"`
	// Strangers are orders that were never paid, yet a third party accepted a call for them.
	Strangers []string `json:"strangers"`
}

// StepReport is the judgement of one step.
type StepReport struct {
	Handler string `json:"handler"`
	Step    string `json:"step"`
	// Handled counts the orders with at least one accepted call.
	Handled int `json:"handled"`
	// DeadLettered counts the orders without one that a dead letter with a reason accounts for.
	DeadLettered     int      `json:"deadLettered"`
	Lost             []string `json:"lost"`
	Duplicates       int      `json:"duplicates"`
	DuplicateEffects int      `json:"duplicateEffects"`
	// Duplicated are the orders that had duplicates.
	Duplicated []string `json:"duplicated"`
}

// place is where a step's calls are found.
type place struct{ provider, action, order string }

// tally is what one order had at one place.
type tally struct{ accepted, effects int }

type letter struct{ handler, order string }

// Judge judges. An order given twice counts once.
func Judge(e Evidence) Report {
	orders := make(map[string]Order, len(e.Orders))
	for _, o := range e.Orders {
		orders[o.ID] = o
	}
	r := Report{Paid: len(orders), ReportedLosses: map[string][]string{}, UnreportedLosses: map[string][]string{}}

	tallies := map[place]tally{}
	strangers := map[string]bool{}
	for _, c := range e.Calls {
		if !c.Accepted {
			continue
		}
		if _, paid := orders[c.OrderID]; !paid {
			strangers[c.OrderID] = true
		}
		p := place{c.Provider, c.Action, c.OrderID}
		t := tallies[p]
		t.accepted++
		if c.Effect {
			t.effects++
		}
		tallies[p] = t
	}
	explained, unexplained := sortLetters(e.DeadLetters)
	r.Strangers, r.UnexplainedDeadLetters = sorted(strangers), sorted(unexplained)

	ids := slices.Sorted(maps.Keys(orders))
	lost := map[string]bool{}
	for _, step := range e.Steps {
		s := judgeStep(step, ids, tallies, explained)
		r.Steps = append(r.Steps, s)
		r.Duplicates += s.Duplicates
		r.DuplicateEffects += s.DuplicateEffects
		for _, id := range s.Lost {
			lost[id] = true
		}
	}
	r.Lost = sorted(lost)
	for _, id := range r.Lost {
		if arrived(id, e.Steps, tallies, explained) {
			continue
		}
		o := orders[id]
		if o.Told == Failed || o.Told == Unknown {
			r.ReportedLosses[o.Sent] = append(r.ReportedLosses[o.Sent], id)
		} else {
			r.UnreportedLosses[o.Sent] = append(r.UnreportedLosses[o.Sent], id)
		}
	}
	return r
}

func judgeStep(step Step, ids []string, tallies map[place]tally, explained map[letter]bool) StepReport {
	s := StepReport{Handler: step.Handler, Step: step.Step}
	for _, id := range ids {
		t := tallies[place{step.Provider, step.Action, id}]
		switch {
		case t.accepted > 0:
			s.Handled++
		case explained[letter{step.Handler, id}]:
			s.DeadLettered++
		default:
			s.Lost = append(s.Lost, id)
		}
		if t.accepted > 1 {
			s.Duplicates += t.accepted - 1
			s.Duplicated = append(s.Duplicated, id)
		}
		s.DuplicateEffects += max(0, t.effects-1)
	}
	return s
}

// arrived reports whether the order left any trace behind the broker.
func arrived(id string, steps []Step, tallies map[place]tally, explained map[letter]bool) bool {
	return slices.ContainsFunc(steps, func(s Step) bool {
		return tallies[place{s.Provider, s.Action, id}].accepted > 0 || explained[letter{s.Handler, id}]
	})
}

func sortLetters(letters []DeadLetter) (explained map[letter]bool, unexplained map[string]bool) {
	explained, unexplained = map[letter]bool{}, map[string]bool{}
	for _, l := range letters {
		if l.Reason == "" {
			unexplained[l.OrderID] = true
		} else {
			explained[letter{l.Handler, l.OrderID}] = true
		}
	}
	return explained, unexplained
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
