// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// patience is how far away the next request may be before the message is parked instead of waited for.
	patience = time.Second
	// leastRate of requests per second is what a ramp leaves of a rate that is higher: a slower one does no harm to who has just come back.
	leastRate = 2
)

// pace spreads requests over time. Its rate may change at any time.
type pace struct {
	limiter *rate.Limiter
	// free: there is no rate to keep.
	free atomic.Bool
	// turn holds one token: who has it is the next to be admitted. Others queue for it rather than reserve ahead, so that a new rate holds at once and
	// only a rate that admits nobody at all parks a message.
	turn chan struct{}

	mu sync.Mutex
	// stale: the limiter is not told yet. Who has the turn tells it: told in the middle of a wait, it would let the next one go too soon.
	stale     bool
	perSecond float64 // 0: none
	burst     int
	part      float64 // of it, while a ramp leads back to it
}

func newPace() *pace {
	p := &pace{limiter: rate.NewLimiter(rate.Inf, 1), turn: make(chan struct{}, 1), part: 1}
	p.free.Store(true)
	return p
}

// set changes the rate; 0 is none.
func (p *pace) set(perSecond float64, burst int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.perSecond, p.burst, p.stale = perSecond, max(burst, 1), true
	p.free.Store(perSecond == 0)
}

// admit changes the part of the rate that is admitted.
func (p *pace) admit(part float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part, p.stale = part, true
}

// apply makes rate and part hold. Less than all of the rate comes without a burst. The turn is held.
func (p *pace) apply() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stale {
		return
	}
	p.stale = false
	limit, burst := rate.Inf, p.burst
	if p.perSecond > 0 {
		limit = rate.Limit(p.perSecond)
	}
	if p.perSecond > 0 && p.part < 1 {
		limit, burst = rate.Limit(max(p.perSecond*p.part, min(p.perSecond, leastRate))), 1
	}
	p.limiter.SetLimit(limit)
	p.limiter.SetBurst(burst)
}

// wait waits for its turn, or returns how long nobody is admitted if that is more than patience, or ctx's error.
func (p *pace) wait(ctx context.Context) (far time.Duration, err error) {
	if p.free.Load() {
		return 0, nil
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-p.turn }()
	p.apply()
	reservation := p.limiter.Reserve()
	delay := reservation.Delay()
	if delay > patience {
		reservation.Cancel()
		return delay, nil
	}
	if delay == 0 {
		return 0, nil
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
