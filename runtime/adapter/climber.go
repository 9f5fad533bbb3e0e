// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"math"
	"time"
)

// The climber's constants were chosen by the table of TestAdaptiveConcurrencyFindsTheBest.
const (
	// firstLimit is where it begins.
	firstLimit = 4
	// swing is by how much each round is above or below the point that is judged.
	swing = 0.12
	// worth is the part of a rise in concurrency that has to come back as goodput for the rise to be worth it.
	worth = 0.15
	// firstStep is by how much the point moves at first: half as much after each turn, twice as much after each of strides and more moves one way, within the others.
	firstStep, smallestStep, largestStep = 0.5, 0.04, 0.5
	// strides are as many moves one way as show that the best is elsewhere; found, as many turns with no strides between as show that it is here.
	strides, found = 4, 2
	// kept is how many rounds stay at the point, once it is found, after each beside it: those cost goodput where one request more or less in flight does.
	kept = 4
	// fewest and most requests are a round; less than most are enough once the mean of their times is known to precision.
	fewest, most = 10, 200
	precision    = 0.05
	// saturated is the least part of the limit that has to be in use for a round to tell anything.
	saturated = 0.85
	// backOff is what is left of the point after a third party said that it is too much.
	backOff = 0.9
	// cautious is how many rounds stay there then.
	cautious = 12
	// atTheEnd is how many rounds use all that there is, or one, while that serves best, before the other side is tried again. Of a small share a side is a
	// large part: there are smallShare rounds for each of a share's places, where that is more.
	atTheEnd, smallShare = 4, 24
)

// climber finds how many requests in flight serve best, from nothing but how requests end. It makes rounds a little above and a little below a point, and
// compares neighbours: where more in flight brings more successes a second, the point moves up, else down. It knows no "normal" time of an answer, so that
// a third party that has become ten times slower is not punished for that: it is only asked for less if that costs nothing. It is pure; the zero climber
// is not usable.
type climber struct {
	point float64
	up    bool // the last round beside the point was the one above
	step  float64
	rose  bool // the last move was upwards
	moves int  // that way
	turns int  // since the last strides
	keeps int  // rounds at the point still to come
	aside bool // the round is beside the point
	stays int  // rounds at the top since the last below
	limit int
	round round
	last  *measure // of the round before
	mean  float64  // the last mean time, in seconds
}

// round is what was seen since the limit changed.
type round struct {
	begun time.Time
	// count of requests that began in it, ok of those that succeeded; the rest are sums over all of them.
	count, ok            int
	seconds, squares, in float64
	told                 bool // it has been too much
}

// measure is a round's result.
type measure struct{ inFlight, goodput float64 }

// sample is a request that ended.
type sample struct {
	began, ended time.Time
	inFlight     int // when it ended, itself included
	ok           bool
	tooMany      bool // the third party said so
}

// newClimber returns one that begins at firstLimit, or the highest if that is less.
func newClimber(now time.Time, highest int) *climber {
	c := &climber{point: min(firstLimit, float64(highest)), step: firstStep}
	c.next(now, highest)
	return c
}

// rest forgets what was seen since the limit changed last, and goes on from now.
func (c *climber) rest(now time.Time, highest int) {
	c.last, c.round = nil, round{begun: now}
	c.limit = min(c.limit, highest)
}

// add looks at a request that ended, and returns the limit from now on, between 1 and highest.
func (c *climber) add(s sample, highest int) int {
	r := &c.round
	if s.began.Before(r.begun) {
		return min(c.limit, highest) // it saw the limit of before
	}
	took := s.ended.Sub(s.began).Seconds()
	r.count++
	r.seconds += took
	r.squares += took * took
	r.in += float64(s.inFlight)
	if s.ok {
		r.ok++
	}
	r.told = r.told || s.tooMany
	if c.complete(s.ended) {
		c.judge(highest)
		c.next(s.ended, highest)
	}
	return min(c.limit, highest)
}

// complete reports whether the round can be judged: it has been too much, or it has seen each place used, for as long as a request takes, and is precise enough.
func (c *climber) complete(now time.Time) bool {
	r := &c.round
	if r.told {
		return true
	}
	if r.count < max(fewest, c.limit) || now.Sub(r.begun).Seconds() < c.mean {
		return false
	}
	n := float64(r.count)
	mean := r.seconds / n
	deviation := math.Sqrt(max(0, r.squares/n-mean*mean))
	return deviation <= precision*mean*math.Sqrt(n) || r.count >= max(most, c.limit)
}

// judge moves the point by what the round shows beside the one before.
func (c *climber) judge(highest int) {
	r := &c.round
	if r.told {
		c.point, c.step, c.last, c.keeps = max(1, min(c.point, float64(c.limit))*backOff), smallestStep, nil, cautious
		return
	}
	n := float64(r.count)
	c.mean = r.seconds / n
	// By Little's law: what is in flight, divided by the time it takes. Counting over the round would be off by whatever came in bunches.
	now := measure{inFlight: r.in / n, goodput: r.in / n / c.mean * float64(r.ok) / n}
	before := c.last
	c.last = &now
	switch {
	case now.inFlight < saturated*float64(min(c.limit, highest)):
		c.last = nil // the callers decided how many, not the limit
	case before != nil && c.aside:
		c.move(*before, now, highest)
	}
}

// move goes up or down.
func (c *climber) move(before, now measure, highest int) {
	more := math.Log(now.inFlight / before.inFlight)
	if math.Abs(more) < swing/4 { // nothing to compare
		return
	}
	rise := (math.Log(max(now.goodput, tiny))-math.Log(max(before.goodput, tiny)))/more > worth
	c.stride(rise)
	if rise {
		c.point *= 1 + c.step
	} else {
		c.point /= 1 + c.step
	}
	c.point = min(max(c.point, 1), float64(highest))
}

// stride finds how far the point moves, and whether it has been found.
func (c *climber) stride(rise bool) {
	if rise == c.rose {
		c.moves++
	} else {
		c.rose, c.moves = rise, 1
		c.turns++
		c.step = max(c.step/2, smallestStep)
	}
	switch {
	case c.moves >= strides:
		c.turns = 0
		c.step = min(c.step*2, largestStep)
	case c.turns >= found:
		c.keeps = kept
	}
}

// tiny stands for no goodput at all, which has no logarithm.
const tiny = 1e-9

// next begins a round: at the point, or on the other side of it.
func (c *climber) next(now time.Time, highest int) {
	c.round = round{begun: now}
	if c.aside = c.keeps == 0; !c.aside {
		c.keeps--
		c.limit = max(1, min(int(math.Round(c.point)), highest))
		return
	}
	ended := c.up && c.rose && c.limit >= highest || !c.up && !c.rose && c.limit == 1
	if ended && c.stays < max(atTheEnd, smallShare/highest) {
		c.stays++
		return
	}
	c.up, c.stays = !c.up, 0
	// There is always a side below: in a small share both sides would be the whole of it, with nothing to compare.
	c.limit = max(1, min(int(math.Round(c.point*(1-swing))), highest-1))
	if c.up {
		c.limit = min(max(c.limit+1, int(math.Round(c.point*(1+swing)))), highest)
	}
}
