// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package rocketmq

import "syscall"

// processAttributes gives a node a session or process group of its own. There is no way here to tie it to its parent.
func processAttributes(detach bool) *syscall.SysProcAttr {
	if detach {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}
