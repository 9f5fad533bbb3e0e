// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// longestWish bounds for how long a third party may ask not to be asked.
const longestWish = 10 * time.Minute

// circuit is a breaker that lets one probe through at a time, ignores verdicts of earlier states, and can be waited for.
type circuit struct {
	changed func(worker.Circuit)
	// stamp names the present state: it grows with each move, and is even while closed. Whoever finds it closed needs no lock.
	stamp atomic.Uint64

	mu     sync.Mutex
	config worker.Breaker
	state  worker.Circuit
	tally  tally
	outage outage
	// until is when a probe may go out, unless it is held (see hold); probed is when the last one did.
	until, probed time.Time
	hold          hold
	// opened is when failures opened it, and served when the third party last was well.
	opened, served time.Time
	// resume is closed when it is worth asking again, by alarm or by the next move; nil while closed.
	resume  chan struct{}
	resumed bool
	alarm   *time.Timer
}

// ticket is leave to make one request.
type ticket struct {
	stamp uint64
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
	return &circuit{changed: changed, config: config, state: worker.CircuitClosed}
}

// configure changes the thresholds. What was counted is forgotten; an open circuit stays open, for the new duration.
func (c *circuit) configure(config worker.Breaker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if config == c.config {
		return
	}
	c.config, c.tally = config, tally{}
	if c.state != worker.CircuitClosed {
		c.until = time.Now().Add(config.OpenDuration.D())
		c.move(worker.CircuitOpen)
	}
}

// begin gives leave for a request, or returns what ends when it is worth asking again.
func (c *circuit) begin() (t ticket, resume <-chan struct{}) {
	if stamp := c.stamp.Load(); closed(stamp) {
		return ticket{stamp: stamp}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state == worker.CircuitClosed:
		return ticket{stamp: c.stamp.Load()}, nil
	case c.state == worker.CircuitHalfOpen || time.Now().Before(c.due()):
		return ticket{}, c.resume
	}
	c.probed = time.Now()
	c.move(worker.CircuitHalfOpen)
	return ticket{stamp: c.stamp.Load(), probe: true}, nil
}

// shut returns what begin would if it certainly gave no leave, else nil. It costs nothing to ask.
func (c *circuit) shut() (resume <-chan struct{}) {
	if closed(c.stamp.Load()) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resume == nil || c.resumed || c.state == worker.CircuitOpen && !time.Now().Before(c.due()) {
		return nil
	}
	return c.resume
}

// end takes a ticket back. A verdict of an earlier state moves nothing. A probe without verdict leaves the circuit open. A failure that opens it, or keeps
// it open, does so for wish at least. late: the circuit has moved since the ticket was given.
func (c *circuit) end(t ticket, v verdict, wish time.Duration) (late bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case t.stamp != c.stamp.Load():
		return true
	case t.probe && v == healthy:
		c.tally, c.hold, c.served = tally{}, hold{}, now
		c.outage.end(now)
		c.move(worker.CircuitClosed)
	case t.probe:
		if v == failing {
			c.outage.probes++
			c.confirm(now)
		}
		c.open(now, c.probed, wish)
	case v != noVerdict:
		c.tally.add(v == failing, now, c.config.Window.D())
		switch {
		case v == healthy:
			c.served = now
		case c.tally.tooMany(c.config):
			c.outage.begin(now, c.config.Window.D())
			c.opened, c.hold = now, hold{}
			c.open(now, now, wish)
		}
	}
	return false
}

// open opens the circuit, or keeps it open. The pause counts from since, when the last request began: a probe that hung for long has been a pause itself.
// c.mu is held.
func (c *circuit) open(now, since time.Time, wish time.Duration) {
	c.until = since.Add(c.outage.pause(c.config.OpenDuration.D(), now, rand.Float64()))
	if wished := now.Add(min(wish, longestWish)); wish > 0 && wished.After(c.until) {
		c.until = wished
	}
	c.move(worker.CircuitOpen)
}

// patience is how long a probe may hang before the third party may be asked again.
func (c *circuit) patience() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outage.longest(time.Now())
}

// closed reports whether the circuit has been closed ever since the ticket was given.
func (c *circuit) closed(t ticket) bool {
	return !t.probe && t.stamp == c.stamp.Load()
}

// closed: see circuit.stamp.
func closed(stamp uint64) bool { return stamp%2 == 0 }

// move changes the state. Who waits looks again after every move. c.mu is held.
func (c *circuit) move(to worker.Circuit) {
	c.wake()
	c.resume, c.resumed = nil, false
	next := c.stamp.Load() + 1
	if closed(next) != (to == worker.CircuitClosed) {
		next++
	}
	changed := to != c.state
	c.state = to
	if to != worker.CircuitClosed {
		c.resume = make(chan struct{})
	}
	if to == worker.CircuitOpen {
		c.arm()
	}
	if changed {
		c.changed(to)
	}
	c.stamp.Store(next) // at last: who finds it closed finds everything as it is then
}

// arm sets the alarm for when the next probe is due. c.mu is held.
func (c *circuit) arm() {
	if c.alarm != nil {
		c.alarm.Stop()
	}
	c.alarm = time.AfterFunc(time.Until(c.due()), c.ring)
}

// ring tells who waits that a probe may go out.
func (c *circuit) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == worker.CircuitOpen && !time.Now().Before(c.due()) {
		c.wake()
	}
}

// wake tells who waits, once. c.mu is held.
func (c *circuit) wake() {
	if c.resume != nil && !c.resumed {
		close(c.resume)
		c.resumed = true
	}
}
