// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import "time"

// A circuit stays open longer with every probe that fails, up to a bound that follows from how soon after it heals a third party should be called again:
// within 2 s after an outage of up to ten minutes, within 20 s after a longer one. The rest of that time is the probe's own.
const (
	longestPause     = 1500 * time.Millisecond
	longOutage       = 10 * time.Minute
	longestPauseLong = 15 * time.Second
	// spread is the part of a grown pause by which it may be shorter, so that pods do not probe together.
	spread = 0.25
)

// outage is what the length of the next pause depends on.
type outage struct {
	// since is when the circuit opened first, ended when it last closed. Zero: not yet.
	since, ended time.Time
	// probes that failed.
	probes int
}

// begin notes that a closed circuit opens. If it closed less than a window ago the outage goes on: one lucky probe does not make a third party well.
func (o *outage) begin(now time.Time, window time.Duration) {
	if o.ended.IsZero() || now.Sub(o.ended) > window {
		*o = outage{since: now}
	}
}

// end notes that the circuit closes.
func (o *outage) end(now time.Time) { o.ended = now }

// longest is the bound of pauses.
func (o *outage) longest(now time.Time) time.Duration {
	if !o.since.IsZero() && now.Sub(o.since) >= longOutage {
		return longestPauseLong
	}
	return longestPause
}

// pause is how long the circuit stays open: at first, and twice that with each failed probe. random is in [0, 1).
func (o *outage) pause(first time.Duration, now time.Time, random float64) time.Duration {
	longest := o.longest(now)
	pause := first
	for range o.probes {
		if pause >= longest {
			break
		}
		pause *= 2
	}
	pause = min(pause, max(first, longest))
	return max(first, time.Duration(float64(pause)*(1-spread*random)))
}
