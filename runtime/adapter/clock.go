// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"sync"
	"time"
)

// WaitClock adds up the time a message's handling waited for limits, which is no work.
type WaitClock struct {
	mu     sync.Mutex
	waited time.Duration
	// waits under way: several where a probe is made again beside itself. The first began at since.
	waits int
	since time.Time
}

// Waited is the time so far.
func (w *WaitClock) Waited() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits == 0 {
		return w.waited
	}
	return w.waited + time.Since(w.since)
}

func (w *WaitClock) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits++; w.waits == 1 {
		w.since = time.Now()
	}
}

func (w *WaitClock) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits--; w.waits == 0 {
		w.waited += time.Since(w.since)
	}
}

type waitClockKey struct{}

// WithWaitClock returns a context whose waiting is added to the clock.
func WithWaitClock(ctx context.Context, w *WaitClock) context.Context {
	return context.WithValue(ctx, waitClockKey{}, w)
}

// Waiting starts the context's clock; what it returns stops it.
func Waiting(ctx context.Context) (stop func()) {
	w, ok := ctx.Value(waitClockKey{}).(*WaitClock)
	if !ok {
		return func() {}
	}
	w.start()
	return w.stop
}
