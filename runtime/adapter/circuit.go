// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// longestWish bounds for how long a third party may ask not to be asked.
const longestWish = 10 * time.Minute

// circuit is a breaker of failsafe-go that lets one probe through at a time, ignores verdicts of earlier states, and can be waited for.
type circuit struct {
	changed func(worker.Circuit)

	mu      sync.Mutex
	config  worker.Breaker
	breaker circuitbreaker.CircuitBreaker[any]
	// epoch counts the changes of state.
	epoch int
	// resume ends when it is worth asking again; nil while closed. wake ends it.
	resume context.Context
	wake   context.CancelFunc
	// wish is the third party's for how long it stays open, while a failure is recorded.
	wish time.Duration
}

// ticket is leave to make one request.
type ticket struct {
	epoch int
	probe bool
}

// verdict is what a request says about the third party.
type verdict int

const (
	noVerdict verdict = iota // it was not asked, or not waited for
	healthy
	failing
)

func newCircuit(config worker.Breaker, changed func(worker.Circuit)) *circuit {
	c := &circuit{changed: changed}
	c.configure(config)
	return c
}

// configure changes the thresholds. What was counted is forgotten; an open circuit stays open, for the new duration.
func (c *circuit) configure(config worker.Breaker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.breaker != nil && config == c.config {
		return
	}
	open := c.breaker != nil && !c.breaker.IsClosed()
	c.config = config
	c.epoch++
	c.breaker = circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(float64(config.FailurePercentage)/100, uint(config.MinimumRequests), config.Window.D()).
		WithSuccessThreshold(1).
		WithDelay(config.OpenDuration.D()).
		OnStateChanged(c.moved).
		Build()
	if open {
		c.breaker.Open()
	}
}

// begin gives leave for a request, or returns what ends when it is worth asking again.
func (c *circuit) begin() (t ticket, resume <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.breaker.IsOpen() && c.resume.Err() == nil || !c.breaker.TryAcquirePermit() {
		return ticket{}, c.resume.Done()
	}
	return ticket{epoch: c.epoch, probe: c.breaker.IsHalfOpen()}, nil
}

// shut returns what begin would if it certainly gave no leave, else nil. It costs nothing to ask.
func (c *circuit) shut() (resume <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resume == nil || c.resume.Err() != nil {
		return nil
	}
	return c.resume.Done()
}

// end takes a ticket back. A verdict of an earlier state is ignored. A probe without verdict leaves the circuit open. A failure that opens it, or keeps it
// open, does so for wish at least.
func (c *circuit) end(t ticket, v verdict, wish time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case t.epoch != c.epoch:
	case v == healthy:
		c.breaker.RecordSuccess()
	case v == failing:
		c.wish = min(wish, longestWish)
		c.breaker.RecordFailure()
		c.wish = 0
	case t.probe:
		c.breaker.Open()
	}
}

// closed reports whether the circuit has been closed ever since the ticket was given.
func (c *circuit) closed(t ticket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !t.probe && t.epoch == c.epoch
}

// moved is told by the breaker; c.mu is held, as it is for every call of the breaker. Who waits looks again after every move.
func (c *circuit) moved(e circuitbreaker.StateChangedEvent) {
	c.epoch++
	if c.wake != nil {
		c.wake()
	}
	switch e.NewState {
	case circuitbreaker.OpenState:
		c.resume, c.wake = context.WithTimeout(context.Background(), max(c.breaker.RemainingDelay(), c.wish))
	case circuitbreaker.HalfOpenState:
		c.resume, c.wake = context.WithCancel(context.Background())
	case circuitbreaker.ClosedState:
		c.resume, c.wake = nil, nil
	}
	c.changed(stateOf(e.NewState))
}

func (c *circuit) state() worker.Circuit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return stateOf(c.breaker.State())
}

func stateOf(s circuitbreaker.State) worker.Circuit {
	switch s {
	case circuitbreaker.OpenState:
		return worker.CircuitOpen
	case circuitbreaker.HalfOpenState:
		return worker.CircuitHalfOpen
	default:
		return worker.CircuitClosed
	}
}
