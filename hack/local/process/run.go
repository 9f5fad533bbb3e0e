// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// shownBytes is how much of a command line goes into an error.
const shownBytes = 160

// Run runs a program that ends by itself, and at the latest when this process does, however that ends. When it fails, the
// error has its command line and all of its output.
func Run(cmd *exec.Cmd) error {
	// The kernel ties the program to the thread that started it, which therefore has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = tied()
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	line := strings.Join(append([]string{filepath.Base(cmd.Path)}, cmd.Args[1:]...), " ")
	if len(line) > shownBytes {
		line = line[:shownBytes] + "..."
	}
	return fmt.Errorf("%s: %w\n%s", line, err, bytes.TrimSpace(out))
}
