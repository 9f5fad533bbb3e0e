// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package handler

import "sync"

// maxParked bounds what progress remembers; a worker holds fewer messages unless its group is set up unusually large.
const maxParked = 4096

// progress remembers at which step deliveries were parked. What is forgotten costs a repeated call, with the same key; where that is older than the third party
// remembers keys, it is made without the question that would have gone before it.
type progress struct {
	mu     sync.Mutex
	parked map[parkedKey]place
}

// parkedKey tells a delivery from all others. The message's id alone does not: producers make one id twice, and a retry has the id of what was retried.
// Nor does the place: a topic that is made anew counts from 0 again.
type parkedKey struct{ id, at string }

// place is where a delivery goes on.
type place struct {
	step int
	// maybeMade: the step's request may have had its effect.
	maybeMade bool
}

// keep notes where the delivery goes on.
func (p *progress) keep(key parkedKey, at place) {
	if at == (place{}) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parked == nil || len(p.parked) >= maxParked {
		p.parked = map[parkedKey]place{} // those of queues that moved to another pod are never asked for
	}
	p.parked[key] = at
}

// take returns where the delivery goes on, and forgets it.
func (p *progress) take(key parkedKey) place {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.parked[key]
	delete(p.parked, key)
	return at
}
