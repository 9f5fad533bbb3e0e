// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gate bounds how many requests are in flight: by the limit, and after a recovery by what the ramp admits of it.
type gate struct {
	mu sync.Mutex
	// limit may change at any time; 0 is none. callers is how many there can be at once, which is what a ramp without a limit leads to.
	limit, callers int
	// climber finds how much of the limit serves best; nil: all of it.
	climber *climber
	ramp    ramp
	// admitted is told what the ramp admits, with mu held: told afterwards, two steps could change places, and the last part of the limits never come back.
	admitted func(part float64)
	inside   int
	waiting  []chan struct{} // closed when let in, in the order of coming
}

// tryEnter enters if there is room and nobody waits.
func (g *gate) tryEnter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) > 0 || !g.room() {
		return false
	}
	g.inside++
	return true
}

// enter waits until there is room, or ctx ends.
func (g *gate) enter(ctx context.Context) error {
	turn := make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, turn)
	g.admit()
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.withdraw(turn)
		return ctx.Err()
	}
}

// leave is for who made no request.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.admit()
}

// finish leaves after a request.
func (g *gate) finish(s sample, v verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	changed := g.ramp.note(v, time.Now)
	if changed {
		g.admitted(g.ramp.part())
	}
	if g.climber != nil {
		g.teach(s, v, changed)
	}
	g.inside--
	g.admit()
}

// teach shows the climber a request that ended. What is seen on a ramp is the ramp's doing. g.mu is held.
func (g *gate) teach(s sample, v verdict, stepped bool) {
	switch {
	case stepped:
		g.climber.rest(s.ended, g.most())
	case g.ramp.part() == 1 && v != noVerdict:
		s.inFlight, s.ok = g.inside, v == healthy
		g.climber.add(s, g.most())
	}
}

// most is how many can be inside at all; 0 is any number. g.mu is held.
func (g *gate) most() int {
	if g.limit == 0 || g.callers > 0 && g.callers < g.limit {
		return g.callers
	}
	return g.limit
}

// restart begins a ramp.
func (g *gate) restart() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ramp.start(time.Now())
	g.admitted(g.ramp.part())
}

// resize changes the limit, and whether all of it is used.
func (g *gate) resize(limit int, adaptive bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limit
	switch {
	case !adaptive || limit == 0:
		g.climber = nil
	case g.climber == nil:
		g.climber = newClimber(time.Now(), g.most())
	}
	g.admit()
}

// room reports whether one more may be inside. g.mu is held.
func (g *gate) room() bool {
	allowed := g.allowed()
	return allowed == 0 || g.inside < allowed
}

// allowed is how many may be inside; 0 is any number. g.mu is held.
func (g *gate) allowed() int {
	allowed := g.limit
	if g.climber != nil {
		allowed = min(g.climber.limit, g.most())
	}
	if part := g.ramp.part(); part < 1 && g.most() > 0 {
		ramped := max(1, int(part*float64(g.most())))
		if allowed == 0 || ramped < allowed {
			allowed = ramped
		}
	}
	return allowed
}

// now is what allowed says.
func (g *gate) now() (allowed int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.allowed()
}

// admit lets in who there is room for. g.mu is held.
func (g *gate) admit() {
	for len(g.waiting) > 0 && g.room() {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.inside++
	}
}

func (g *gate) withdraw(turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, turn); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		return
	}
	g.inside-- // it was let in meanwhile
	g.admit()
}
