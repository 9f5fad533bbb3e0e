// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/orderflow-dev/orderflow/hack/local/process"
)

// spawn starts the first process, in namespaces of its own, and returns its number.
func (s Sandbox) spawn() (pid int, err error) {
	group, spec := process.Group{Dir: s.Dir}, process.Spec{Name: firstName, Path: s.Pause}
	if err := os.MkdirAll(group.Folder(firstName), 0o755); err != nil {
		return 0, fmt.Errorf("create the sandbox's folder: %w", err)
	}
	cmd := exec.Command(spec.Path)
	cmd.Env = group.Environment(spec)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWPID,
		// Unshared rather than cloned, because then Go also stops mounts from spreading to the machine.
		Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start the sandbox's first process: %w", err)
	}
	go func() { _ = cmd.Wait() }() // it outlives this process, but if it does not, it has to be buried
	return cmd.Process.Pid, nil
}
