// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import "time"

const (
	// firstPart of its limits is what a third party gets that has just come back; it doubles until it is all of them: four times, in two seconds at best.
	firstPart = 1.0 / 16
	// rampStep is the least time between two doublings.
	rampStep = 500 * time.Millisecond
	// debt is how many failures more than successes count: what has failed for long and then is well would otherwise need as many successes first, a few at a time.
	debt = 8
)

// ramp leads from a recovery back to the full limits. Each step needs its time, and more answers that show the third party to be well than others. The
// zero ramp is over.
type ramp struct {
	// admitted is the part of the limits; 0 is all.
	admitted float64
	since    time.Time
	// balance of verdicts since then.
	balance int
}

func (r *ramp) start(now time.Time) { *r = ramp{admitted: firstPart, since: now} }

// part of the limits that is admitted.
func (r *ramp) part() float64 {
	if r.admitted == 0 {
		return 1
	}
	return r.admitted
}

// note counts a verdict, and reports whether another part is admitted from now on. The time is only asked for on the way.
func (r *ramp) note(v verdict, now func() time.Time) (changed bool) {
	if r.admitted == 0 {
		return false
	}
	switch v {
	case healthy:
		r.balance++
	case failing:
		r.balance = max(r.balance-1, -debt)
	}
	at := now()
	if r.balance <= 0 || at.Sub(r.since) < rampStep {
		return false
	}
	if *r = (ramp{admitted: 2 * r.admitted, since: at}); r.admitted >= 1 {
		*r = ramp{}
	}
	return true
}
