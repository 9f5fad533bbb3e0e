// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gate bounds how many are inside. Its limit may change at any time; 0 is none.
type gate struct {
	mu      sync.Mutex
	limit   int
	inside  int
	waiting []chan struct{} // closed when let in, in the order of coming
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

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.admit()
}

func (g *gate) resize(limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limit
	g.admit()
}

// admit lets in who there is room for. g.mu is held.
func (g *gate) admit() {
	for len(g.waiting) > 0 && (g.limit == 0 || g.inside < g.limit) {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.inside++
	}
}

func (g *gate) withdraw(turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, waiting := range g.waiting {
		if waiting == turn {
			g.waiting = append(g.waiting[:i:i], g.waiting[i+1:]...)
			return
		}
	}
	g.inside-- // it was let in meanwhile
	g.admit()
}

// patience is how far away the next request may be before the message is parked instead of waited for.
const patience = time.Second

// pace spreads requests over time. Its rate may change at any time.
type pace struct {
	limiter *rate.Limiter
	// turn holds one token: who has it is the next to be admitted. Others queue for it rather than reserve ahead, so that a new rate holds at once and
	// only a rate that admits nobody at all parks a message.
	turn chan struct{}
}

func newPace() *pace {
	return &pace{limiter: rate.NewLimiter(rate.Inf, 1), turn: make(chan struct{}, 1)}
}

// set changes the rate; 0 is none.
func (p *pace) set(perSecond float64, burst int) {
	limit := rate.Limit(perSecond)
	if perSecond == 0 {
		limit = rate.Inf
	}
	p.limiter.SetLimit(limit)
	p.limiter.SetBurst(max(burst, 1))
}

// wait waits for its turn, or returns how long nobody is admitted if that is more than patience, or ctx's error.
func (p *pace) wait(ctx context.Context) (far time.Duration, err error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-p.turn }()
	reservation := p.limiter.Reserve()
	delay := reservation.Delay()
	if delay > patience {
		reservation.Cancel()
		return delay, nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, nil
	case <-ctx.Done():
		reservation.Cancel()
		return 0, ctx.Err()
	}
}

// WaitClock adds up the time a message's handling waited for limits, which is no work. A message waits for one thing at a time.
type WaitClock struct {
	mu     sync.Mutex
	waited time.Duration
	since  time.Time // of the wait under way
}

// Waited is the time so far.
func (w *WaitClock) Waited() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		return w.waited
	}
	return w.waited + time.Since(w.since)
}

func (w *WaitClock) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
}

func (w *WaitClock) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waited, w.since = w.waited+time.Since(w.since), time.Time{}
}

type waitClockKey struct{}

// WithWaitClock returns a context whose waiting is added to the clock.
func WithWaitClock(ctx context.Context, w *WaitClock) context.Context {
	return context.WithValue(ctx, waitClockKey{}, w)
}

// Waiting starts the context's clock; what it returns stops it.
func Waiting(ctx context.Context) (stop func()) {
	w, ok := ctx.Value(waitClockKey{}).(*WaitClock)
	if !ok {
		return func() {}
	}
	w.start()
	return w.stop
}
