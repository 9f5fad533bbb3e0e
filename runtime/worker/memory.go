// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryShare is the part of the container's memory the Go runtime may use before it collects harder; the rest is for what it does not count.
const memoryShare = 0.9

// garbage is how much of it, in percent of what is in use, there may be before it is collected. A worker holds a few MiB, and every message leaves some KiB: by
// Go's 100 it would collect tens of times a second at full speed. Near the container's limit it collects earlier anyhow.
const garbage = 400

// LimitMemory lets garbage be, unless GOGC says something else, and tells the Go runtime the container's memory limit, unless GOMEMLIMIT does or there is none. The number of CPUs it finds out by itself.
func LimitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	data, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return // not in a container, or not on cgroup v2
	}
	if limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil { // else it is "max"
		debug.SetMemoryLimit(int64(float64(limit) * memoryShare))
	}
}
