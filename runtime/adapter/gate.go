// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
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
	// earlier of those inside made their requests before the last recovery: they may hang for long, and are not what the ramp lets in.
	earlier int
	// pacing of those inside wait for the rate.
	pacing  atomic.Int64
	waiting []chan struct{} // closed when let in, in the order of coming
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

// finish leaves after a request. What a late one says is about the third party as it was.
func (g *gate) finish(s sample, v verdict, late bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if late {
		v, g.earlier = noVerdict, max(0, g.earlier-1)
	}
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
		s.inFlight, s.ok = g.inside-int(g.pacing.Load()), v == healthy
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

// restart begins a ramp, at the end of the probe that found the third party well.
func (g *gate) restart() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.earlier = max(0, g.inside-int(g.pacing.Load())-1) // all but the probe
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
	share, ramped := g.share(), g.ramped()
	return (share == 0 || g.inside < share) && (ramped == 0 || g.inside-g.earlier < ramped)
}

// allowed is how many may be inside; 0 is any number. g.mu is held.
func (g *gate) allowed() int {
	share, ramped := g.share(), g.ramped()
	if share == 0 || ramped > 0 && ramped < share {
		return ramped
	}
	return share
}

// share is the limit, or how much of it serves best; 0 is none. g.mu is held.
func (g *gate) share() int {
	if g.climber != nil {
		return min(g.climber.limit, g.most())
	}
	return g.limit
}

// ramped is how many the ramp lets in; 0 is any number. g.mu is held.
func (g *gate) ramped() int {
	part, most := g.ramp.part(), g.most()
	if part == 1 || most == 0 {
		return 0
	}
	return max(1, int(part*float64(most)))
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
