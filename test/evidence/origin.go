// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Commit is the checkout's commit, with "-dirty" when files were changed; "unknown" outside of a checkout.
func Commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// Machine says in a few words what ran: system, processors, memory.
func Machine() string {
	return fmt.Sprintf("%s/%s, %d × %s, %s memory, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		procField("/proc/cpuinfo", "model name", "processor"), procField("/proc/meminfo", "MemTotal", "unknown"), runtime.Version())
}

// procField is the first value of a "name: value" line of a file; the fallback where there is no such file or line.
func procField(path, name, fallback string) string {
	file, err := os.Open(path)
	if err != nil {
		return fallback
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return fallback
}
