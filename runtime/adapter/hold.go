// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// lately is how long ago a pod may have been served to know better than others: partial outages are a pod's own.
const lately = 5 * time.Second

// hold keeps a circuit open on the word of others: another pod looks for the third party's return. The zero hold is none.
type hold struct {
	// until the lease ends; the zero time once the hold was ended.
	until time.Time
	// hearsay: the circuit is open for what others found, and this pod has found nothing itself.
	hearsay bool
}

// Hold opens the circuit for as long as the lease lasts, unless this pod was served lately: no request goes out, not even a probe. When it ends, by a lease of 0 or
// because nobody states it anew, one request goes out as a probe.
func (a *Adapter) Hold(lease time.Duration) {
	if lease <= 0 {
		a.circuit.release()
		return
	}
	a.circuit.restrain(min(lease, worker.MaxLease))
}

// restrain begins a hold, or goes on with it.
func (c *circuit) restrain(lease time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	closed := c.state == worker.CircuitClosed
	if closed && !c.served.IsZero() && now.Sub(c.served) < lately {
		return
	}
	if closed {
		c.outage.begin(now, c.config.Window.D())
		c.until = now
	}
	c.hold = hold{until: now.Add(lease), hearsay: closed || c.hold.hearsay}
	switch {
	case closed, c.state == worker.CircuitOpen && c.resumed: // who has been told to look again finds another channel to wait for
		c.move(worker.CircuitOpen)
	case c.state == worker.CircuitOpen:
		c.arm()
	}
}

// release ends a hold.
func (c *circuit) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold.until = time.Time{}
	if now := time.Now(); c.until.Before(now) {
		c.until = now
	}
	if c.state == worker.CircuitOpen {
		c.arm()
	}
}

// due is when a probe may go out. c.mu is held.
func (c *circuit) due() time.Time {
	if c.hold.until.After(c.until) {
		return c.hold.until
	}
	return c.until
}

// confirm notes that this pod finds the third party down itself. c.mu is held.
func (c *circuit) confirm(now time.Time) {
	if c.hold.hearsay {
		c.opened, c.hold.hearsay = now, false
	}
}

// report writes down how the third party looks from here.
func (c *circuit) report(r *worker.AdapterReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	r.Circuit = c.state
	r.Held = c.state != worker.CircuitClosed && now.Before(c.hold.until)
	if c.state == worker.CircuitOpen && c.hold.hearsay && !r.Held {
		r.Circuit = worker.CircuitClosed
	}
	if !c.served.IsZero() {
		r.Served = new(worker.Duration(now.Sub(c.served)))
	}
	if c.state == worker.CircuitClosed || c.hold.hearsay {
		return
	}
	r.Outage = &worker.Outage{Lasts: worker.Duration(now.Sub(c.opened))}
	if c.state == worker.CircuitOpen {
		r.Outage.Due = worker.Duration(max(0, now.Sub(c.due())))
	}
}
