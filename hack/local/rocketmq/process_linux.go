// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import "syscall"

// processAttributes has the kernel kill a node when its parent is gone. A process group of its own keeps a terminal's
// Ctrl-C with the parent, whose Stop then ends the nodes in order.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
