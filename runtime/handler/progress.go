// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package handler

import "sync"

// maxParked bounds what progress remembers; a worker holds fewer messages unless its group is set up unusually large.
const maxParked = 4096

// progress remembers at which step messages were parked. What is forgotten costs a repeated call, with the same key, and nothing else.
type progress struct {
	mu     sync.Mutex
	parked map[string]int
}

// keep notes that the message goes on at step.
func (p *progress) keep(id string, step int) {
	if step == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parked == nil || len(p.parked) >= maxParked {
		p.parked = map[string]int{} // those of queues that moved to another pod are never asked for
	}
	p.parked[id] = step
}

// take returns the step at which the message goes on, and forgets it.
func (p *progress) take(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	step := p.parked[id]
	delete(p.parked, id)
	return step
}
