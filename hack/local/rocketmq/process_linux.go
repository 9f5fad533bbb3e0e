// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import "syscall"

// processAttributes puts a detached node into a session of its own, where no terminal's signals reach it, and has the
// kernel kill any other when its parent is gone. A process group of its own keeps Ctrl-C with the parent, whose Stop
// then ends the nodes in order.
func processAttributes(detach bool) *syscall.SysProcAttr {
	if detach {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
