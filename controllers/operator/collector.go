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
	// gcGrowing and gcSettled are how much garbage, in percent of what is held, may lie about before it is collected: Go's default while what is held grows, as when caches are filled or thousands of
	// objects are made, and less when it does not. Most of it lives long then, and garbage that waits for as much again would double the memory of a process that makes little.
	gcGrowing, gcSettled = 100, 30
	// gcPause lies between two looks, and grown is by how much of itself what is held has to grow in it.
	gcPause = 30 * time.Second
	grown   = 1.05
)

// collector sets it, unless GOGC does.
type collector struct{}

// NeedLeaderElection is false: an operator that waits holds as much.
func (collector) NeedLeaderElection() bool { return false }

// Start is called when the caches are filled.
func (collector) Start(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	ticker := time.NewTicker(gcPause)
	defer ticker.Stop()
	before, percent := lastCollection(), gcGrowing
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		now := lastCollection()
		if now.cycle == before.cycle {
			continue // what is held now nobody knows
		}
		if next := gcPercent(before.held, now.held); next != percent {
			percent = next
			debug.SetGCPercent(percent)
			if percent == gcSettled {
				debug.FreeOSMemory()
			}
		}
		before = now
	}
}

// gcPercent is for a process that held so many bytes a while before now.
func gcPercent(before, now uint64) int {
	if float64(now) > grown*float64(before) {
		return gcGrowing
	}
	return gcSettled
}

// collection is one of the process's: which, and what was held by then, in bytes.
type collection struct{ cycle, held uint64 }

func lastCollection() collection {
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return collection{cycle: samples[0].Value.Uint64(), held: samples[1].Value.Uint64()}
}
