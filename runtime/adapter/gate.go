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
	ramp           ramp
	inside         int
	waiting        []chan struct{} // closed when let in, in the order of coming
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

// finish leaves after a request, and reports whether the ramp went on; part is then what it admits of the limits.
func (g *gate) finish(v verdict) (part float64, changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	changed = g.ramp.note(v, time.Now)
	g.admit()
	return g.ramp.part(), changed
}

// restart begins a ramp.
func (g *gate) restart() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ramp.start(time.Now())
}

func (g *gate) resize(limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limit
	g.admit()
}

// room reports whether one more may be inside. g.mu is held.
func (g *gate) room() bool {
	limit := g.limit
	if g.ramp.part() < 1 {
		limit = g.ramp.of(limit, g.callers)
	}
	return limit == 0 || g.inside < limit
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
