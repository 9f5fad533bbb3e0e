// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// garbage that may gather between two collections, in bytes, within minPercent and maxPercent of what is held: most of the process's memory is what informers hold, which lives long, and
	// where all of it were allowed again, as by Go's default, thousands of objects would take twice their memory. What is made at once, and lives long, lies the denser the less garbage there is between.
	garbage                = 42 << 20
	minPercent, maxPercent = 30, 100
	// percentStep is by how much the percentage has to move: each setting stops the process for a moment.
	percentStep = 2
	// gcAfter the caches are filled it is set for the first time: before, collections would make the start longer. gcEvery is how often it is looked at then.
	gcAfter, gcEvery = time.Minute, 5 * time.Second
)

// collector sets the percentage at which the process collects garbage, unless GOGC says otherwise.
type collector struct{}

// NeedLeaderElection is false: an operator that waits holds as much.
func (collector) NeedLeaderElection() bool { return false }

// Start is called when the caches are filled.
func (collector) Start(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for percent, wait := maxPercent, gcAfter; ; wait = gcEvery {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		metrics.Read(held)
		if now := percentOf(held[0].Value.Uint64()); now <= percent-percentStep || now >= percent+percentStep {
			debug.SetGCPercent(now)
			percent = now
		}
	}
}

// percentOf what is held the garbage may be.
func percentOf(held uint64) int {
	return int(min(max(garbage*100/max(held, 1), minPercent), maxPercent))
}
