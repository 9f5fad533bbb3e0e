// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"time"

	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// suspension keeps everything new from being fetched and started, on the word of whoever runs the group, whatever the gate says. The zero suspension is none.
//
// What lies below the highest message started of its queue still runs, as in a release: else what is finished above it would come again if the process ended. What is parked
// or rests until its next attempt does not, since that would be an attempt.
type suspension struct {
	reason outcome.Reason
	since  time.Time
	// until what lies below may begin.
	until time.Time
}

func (s *suspension) holds() bool { return s.reason != "" }

// Suspend stops fetching and handing out, for a reason; none ends that. What runs ends, queues stay ours, and their offsets are committed on.
func (c *Consumer) Suspend(reason outcome.Reason) {
	switch was := c.dispatch.suspend(reason, c.cfg.Grace); {
	case was == reason:
	case reason == "":
		c.cfg.Log.Info("not suspended any more: messages are handed out again")
	default:
		c.cfg.Log.Info("suspended: no message is fetched or handed out", "reason", string(reason))
	}
}

// suspend begins, ends, or goes on with a suspension, and returns the reason there was.
func (d *dispatcher) suspend(reason outcome.Reason, grace time.Duration) (was outcome.Reason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was = d.suspension.reason
	switch now := time.Now(); {
	case reason == "" && was != "":
		d.suspension = suspension{}
		d.tellFlow()
		d.resume()
	case reason != "" && was == "":
		d.suspension = suspension{reason, now, now.Add(grace)}
		for _, q := range d.queues {
			if q.phase == live {
				d.setLimit(q)
			}
		}
		d.tellStop(reason)
	default:
		d.suspension.reason = reason
	}
	return was
}

// bars reports whether the suspension keeps a queue's message from being started. d.mu is held.
func (d *dispatcher) bars(q *queue, seq uint64, now time.Time) bool {
	return d.suspension.holds() && q.phase == live && (seq >= q.limit || !now.Before(d.suspension.until))
}

// runsOn reports whether something of a suspended queue is to be started yet. d.mu is held.
func (d *dispatcher) runsOn(q *queue, now time.Time) bool {
	return d.gate.state == flowing && q.phase == live && q.window.waiting > 0 && !d.bars(q, q.window.lowest(0), now)
}

// tellStop and tellFlow tell the observer when handing out stops, for the gate or for a suspension, and when neither holds it any more. d.mu is held.
func (d *dispatcher) tellStop(reason outcome.Reason) {
	if d.stopped.IsZero() {
		d.stopped = time.Now()
		d.observer.Parked(reason)
	}
}

func (d *dispatcher) tellFlow() {
	if d.gate.state == flowing && !d.suspension.holds() {
		d.observer.Resumed(time.Since(d.stopped))
		d.stopped = time.Time{}
	}
}
