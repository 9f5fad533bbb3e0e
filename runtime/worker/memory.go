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

// LimitMemory tells the Go runtime the container's memory limit, unless GOMEMLIMIT does or there is none. The number of CPUs it finds out by itself.
func LimitMemory() {
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
