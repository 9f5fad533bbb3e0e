// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"cmp"
	"container/heap"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// model is a simulated third party: how long a request takes that begins with so many in flight, and whether it succeeds.
type model struct {
	// capacity is how many are served at once, each in service; the rest wait. 0: any number.
	capacity int
	service  func(at time.Duration, inFlight int, r *rand.Rand) time.Duration
	// takes is how many it takes at once; more are refused at once, with a 429 if says. 0: any number.
	takes int
	says  bool
	// flaky is the part of requests that fails anyhow.
	flaky float64
	// least is the part of the best fixed goodput that is wanted; 0 is 0.9.
	least float64
}

type ending struct {
	at, began time.Duration
	ok, taken bool
}

type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) } //nolint:forcetypeassert // a heap of endings
func (e *endings) Pop() any          { last := (*e)[len(*e)-1]; *e = (*e)[:len(*e)-1]; return last }

// simulate keeps callers calling through a limit that may change with every request that ends, and returns the successes after the first part of the time.
func simulate(m model, callers int, length, warm time.Duration, seed uint64, limit func(sample) int) (successes int, lastLimit int) {
	r := rand.New(rand.NewPCG(seed, 1))
	start := time.Unix(0, 0)
	var under endings
	free := make([]time.Duration, m.capacity) // when each place is free
	allowed := limit(sample{})
	now, taken := time.Duration(0), 0
	for {
		for len(under) < min(callers, allowed) {
			took := m.service(now, len(under)+1, r)
			if m.capacity > 0 {
				place := 0
				for i := range free {
					if free[i] < free[place] {
						place = i
					}
				}
				begins := max(now, free[place])
				free[place] = begins + took
				took += begins - now
			}
			e := ending{at: now + took, began: now, ok: r.Float64() >= m.flaky, taken: m.takes == 0 || taken < m.takes}
			if e.taken {
				taken++
			} else {
				e.at, e.ok = now+refusal, false
			}
			heap.Push(&under, e)
		}
		e := heap.Pop(&under).(ending) //nolint:forcetypeassert // a heap of endings
		if e.taken {
			taken--
		}
		if now = e.at; now > length {
			return successes, allowed
		}
		if e.ok && now > warm {
			successes++
		}
		allowed = limit(sample{began: start.Add(e.began), ended: start.Add(now), inFlight: len(under) + 1, ok: e.ok, tooMany: m.says && !e.taken})
	}
}

const (
	slowAfter = 60 * time.Second
	refusal   = 5 * time.Millisecond
)

// tenTimes is a time that is ten times as long after a minute, with noise or without.
func tenTimes(base time.Duration, noise float64) func(time.Duration, int, *rand.Rand) time.Duration {
	return func(at time.Duration, _ int, r *rand.Rand) time.Duration {
		took := float64(base)
		if at >= slowAfter {
			took *= 10
		}
		return time.Duration(took * (1 - noise + noise*r.ExpFloat64()))
	}
}

var models = map[string]model{
	"time grows tenfold, room for all":           {service: tenTimes(20*time.Millisecond, 0)},
	"the same, with exponential times":           {service: tenTimes(20*time.Millisecond, 1)},
	"8 served at once, the rest waits":           {capacity: 8, service: tenTimes(20*time.Millisecond, 0)},
	"8 served at once, exponential times":        {capacity: 8, service: tenTimes(20*time.Millisecond, 1)},
	"40 served at once, some noise":              {capacity: 40, service: tenTimes(20*time.Millisecond, 0.3)},
	"1 served at once":                           {capacity: 1, service: tenTimes(5*time.Millisecond, 0.3)},
	"the more in flight, the slower each":        {service: crowded(10)},
	"the same, with the best at 30":              {service: crowded(30)},
	"above 12 in flight, each costs all":         {service: overloaded(12)},
	"above 12 in flight it answers 503":          {service: tenTimes(20*time.Millisecond, 0.3), takes: 12, least: 0.85},
	"above 12 in flight it answers 429":          {service: tenTimes(20*time.Millisecond, 0.3), takes: 12, says: true, least: 0.85}, // half of the rounds stay below what it takes
	"one in ten fails whatever is in flight":     {service: tenTimes(20*time.Millisecond, 0.3), flaky: 0.1},
	"the time wanders by half, room for all":     {service: wandering},
	"the time wanders by half, 8 served at once": {capacity: 8, service: wandering},
}

// crowded serves best with knee in flight: more of them cost each other more than they bring.
func crowded(knee float64) func(time.Duration, int, *rand.Rand) time.Duration {
	base := tenTimes(10*time.Millisecond, 0.3)
	return func(at time.Duration, inFlight int, r *rand.Rand) time.Duration {
		load := float64(inFlight) / knee
		return time.Duration(float64(base(at, inFlight, r)) * (1 + load*load))
	}
}

// overloaded serves up to knee in flight as fast as one, and above it is the slower the more it is.
func overloaded(knee float64) func(time.Duration, int, *rand.Rand) time.Duration {
	base := tenTimes(20*time.Millisecond, 0.02)
	return func(at time.Duration, inFlight int, r *rand.Rand) time.Duration {
		load := max(1, float64(inFlight)/knee)
		return time.Duration(float64(base(at, inFlight, r)) * load * load)
	}
}

func wandering(at time.Duration, _ int, r *rand.Rand) time.Duration {
	took := tenTimes(20*time.Millisecond, 0.3)(at, 0, r)
	return time.Duration(float64(took) * (1 + 0.5*math.Sin(at.Seconds()/7)))
}

// TestAdaptiveConcurrencyFindsTheBest compares with the best fixed concurrency of a sweep, each on the same third party, which becomes ten times slower
// after a minute; the next two minutes count, with the change.
func TestAdaptiveConcurrencyFindsTheBest(t *testing.T) {
	const callers, length, runs = 64, 3 * time.Minute, 5
	for name, m := range models {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			best, at := 0, 0
			for _, n := range []int{1, 2, 4, 6, 8, 10, 12, 16, 20, 25, 30, 40, 50, 64} {
				if got, _ := simulate(m, callers, length, slowAfter, 1, func(sample) int { return n }); got > best*101/100 {
					best, at = got, n
				}
			}
			for seed := range uint64(runs) {
				c := newClimber(time.Unix(0, 0), callers)
				got, last := simulate(m, callers, length, slowAfter, seed, func(s sample) int {
					if s.ended.IsZero() {
						return c.limit
					}
					return c.add(s, callers)
				})
				share := float64(got) / float64(best)
				t.Logf("goodput %.3f of the best fixed, which is %d; at the end the limit is %d", share, at, last)
				if least := cmp.Or(m.least, 0.9); share < least {
					t.Errorf("goodput is %.3f of the best fixed concurrency's, want %v", share, least)
				}
			}
		})
	}
}

// A round is ten requests and more, and at a slow third party takes long: what says that it is too much does not wait for that.
func TestAThirdPartyThatSaysTooMuchIsAskedForLessAtOnce(t *testing.T) {
	const callers = 64
	now := time.Unix(0, 0)
	for _, up := range []bool{false, true} {
		c := newClimber(now, callers)
		c.point, c.up = 40, !up
		c.next(now, callers)
		refusal := sample{began: now, ended: now.Add(refusal), inFlight: c.limit, tooMany: true}
		most := int(math.Round(float64(min(40, c.limit)) * backOff))
		if limit := c.add(refusal, callers); limit != most {
			t.Errorf("above the point (%v): after one refusal %d requests in flight are allowed, want %v", up, limit, most)
		}
		if limit := c.add(refusal, callers); limit != most {
			t.Errorf("above the point (%v): another, of a request that was under way, leaves %d, want %d", up, limit, most)
		}
	}
}

// In a small share there is little to find, and it is found: how many a third party serves best, from the whole share down to one.
func TestAdaptiveConcurrencyWorksInASmallShare(t *testing.T) {
	const length = 3 * time.Minute
	for share := 1; share <= 5; share++ {
		for name, m := range map[string]model{
			"room for all":                        {service: tenTimes(20*time.Millisecond, 0.3)},
			"the more in flight, the slower each": {service: crowded(1)},
			"one served at once":                  {capacity: 1, service: tenTimes(5*time.Millisecond, 0.3)},
		} {
			best := 0
			for n := 1; n <= share; n++ {
				got, _ := simulate(m, 64, length, slowAfter, 1, func(sample) int { return n })
				best = max(best, got)
			}
			least := share // limit that was used
			for seed := range uint64(3) {
				c := newClimber(time.Unix(0, 0), share)
				got, _ := simulate(m, 64, length, slowAfter, seed, func(s sample) int {
					limit := c.limit
					if !s.ended.IsZero() {
						limit = c.add(s, share)
					}
					least = min(least, limit)
					if limit < 1 || limit > share {
						t.Fatalf("share %d, %s: %d in flight are allowed", share, name, limit)
					}
					return limit
				})
				t.Logf("share %d, %s: goodput %.3f of the best fixed", share, name, float64(got)/float64(best))
				if got*10 < best*9 {
					t.Errorf("share %d, %s: goodput is %d, of the best fixed concurrency %d", share, name, got, best)
				}
			}
			if share > 1 && least == share {
				t.Errorf("share %d, %s: less was never tried", share, name)
			}
		}
	}
}
