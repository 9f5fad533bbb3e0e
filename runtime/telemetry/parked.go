// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"sync"
	"time"
)

// parkedClock adds up how long handing out was stopped. What is going on counts while it goes on: a park may last for days.
type parkedClock struct {
	mu    sync.Mutex
	ended time.Duration
	since time.Time // of the park that goes on
}

func (c *parkedClock) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = time.Now()
}

func (c *parkedClock) stop(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.since = c.ended+after, time.Time{}
}

func (c *parkedClock) seconds() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return c.ended.Seconds()
	}
	return (c.ended + time.Since(c.since)).Seconds()
}
