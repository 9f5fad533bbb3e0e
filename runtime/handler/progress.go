// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package handler

import "sync"

// maxParked bounds what progress remembers; a worker holds fewer messages unless its group is set up unusually large.
const maxParked = 4096

// progress remembers at which step deliveries were parked. What is forgotten costs repeated calls, with the same keys, that say that they may have been made; so
// from then on does every delivery that is not remembered, as it may be one of those.
type progress struct {
	mu     sync.Mutex
	parked map[parkedKey]place
	forgot bool
}

// parkedKey tells a delivery from all others. The message's id alone does not: producers make one id twice, and a retry has the id of what was retried.
// Nor does the place: a topic that is made anew counts from 0 again.
type parkedKey struct{ id, at string }

// place is where a delivery goes on.
type place struct {
	step int
	// maybeMade: the step's request may have had its effect.
	maybeMade bool
	// forgotten: how far it came before may have been forgotten, so any step's request may have been made.
	forgotten bool
}

// doubtful reports whether the step's request may have been made.
func (p place) doubtful(step int) bool { return p.forgotten || p.maybeMade && step == p.step }

// keep notes where the delivery goes on.
func (p *progress) keep(key parkedKey, at place) {
	if at.step == 0 && (at.forgotten || !at.maybeMade) {
		return // what is not remembered is the same
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if full := len(p.parked) >= maxParked; full || p.parked == nil {
		p.parked = map[parkedKey]place{} // most are of queues that moved to another pod, and never asked for
		p.forgot = full
	}
	p.parked[key] = at
}

// take returns where the delivery goes on, and forgets it.
func (p *progress) take(key parkedKey) place {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.parked[key]
	if !known {
		return place{forgotten: p.forgot}
	}
	delete(p.parked, key)
	return at
}
