// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

const (
	// gcPercent of the process, unless GOGC says otherwise: most of its memory is what informers hold, which lives long, and a collection of garbage that waits for as much again, as
	// Go's default does, would double it. What is made at once, and lives long, lies the denser the less garbage there is between.
	gcPercent = 30
	// gcAfter the caches are filled it is set: before, collections would make the start longer.
	gcAfter = time.Minute
)

// collector sets it.
type collector struct{}

// NeedLeaderElection is false: an operator that waits holds as much.
func (collector) NeedLeaderElection() bool { return false }

// Start is called when the caches are filled.
func (collector) Start(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	select {
	case <-time.After(gcAfter):
		debug.SetGCPercent(gcPercent)
	case <-ctx.Done():
	}
	return nil
}
