// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clockTick is what /proc counts CPU time in: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU is the time a process has used, by /proc.
func CPU(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	_, after, _ := strings.Cut(string(stat), ") ") // the name before may contain anything
	fields := strings.Fields(after)
	user, err := strconv.ParseInt(fields[11], 10, 64)
	must(t, err)
	system, err := strconv.ParseInt(fields[12], 10, 64)
	must(t, err)
	return time.Duration(user+system) * clockTick
}

// Resident is a process's memory in bytes, by /proc.
func Resident(t testing.TB, pid int) int64 {
	t.Helper()
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	must(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	must(t, err)
	return pages * int64(os.Getpagesize())
}
