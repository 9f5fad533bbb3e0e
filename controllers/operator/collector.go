// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"os"
	"runtime/debug"
)

// gcPercent of the process once its caches are filled, unless GOGC says otherwise: most of its memory is what informers hold, which lives long, and a collection of garbage that
// waits for as much again, as Go's default does, would double it. While they fill more collections would make its start longer.
const gcPercent = 50

// collector sets it.
type collector struct{}

// NeedLeaderElection is false: an operator that waits holds as much.
func (collector) NeedLeaderElection() bool { return false }

// Start is called when the caches are filled.
func (collector) Start(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	<-ctx.Done()
	return nil
}
