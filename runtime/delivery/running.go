// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// run is a message being handled.
type run struct {
	start time.Time
	clock adapter.WaitClock
}

// busy is how long it has taken without waiting for limits.
func (r *run) busy() time.Duration { return time.Since(r.start) - r.clock.Waited() }

// Totals are since the start.
type Totals struct {
	// InFlight is now.
	InFlight int
	// Handled counts messages that were handled, whatever their outcome; parked ones were not.
	Handled int64
	// Busy is the time they took, without waiting for limits.
	Busy time.Duration
}

// Totals returns the totals as of now.
func (d *Delivery) Totals() Totals {
	d.mu.Lock()
	defer d.mu.Unlock()
	totals := d.totals
	totals.InFlight = len(d.running)
	return totals
}

func (d *Delivery) begin() *run {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &run{start: time.Now()}
	d.running[r] = struct{}{}
	return r
}

// end returns how long the run was busy.
func (d *Delivery) end(r *run, o outcome.Outcome) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.running, r)
	busy := r.busy()
	if o.Kind != outcome.Park {
		d.totals.Handled++
		d.totals.Busy += busy
	}
	return busy
}

// Allow says how long handling a message may take, beside waiting for limits. The longest that was ever allowed holds: messages under way may have
// begun with it.
func (d *Delivery) Allow(longest time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.allowed = max(d.allowed, longest)
}

// Stuck says so if handling a message takes longer than is allowed; nil while none does.
func (d *Delivery) Stuck() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for r := range d.running {
		if r.busy() > d.allowed {
			return fmt.Errorf("a message is being handled since %s, longer than the %v its requests may take", r.start.UTC().Format(time.RFC3339), d.allowed)
		}
	}
	return nil
}
