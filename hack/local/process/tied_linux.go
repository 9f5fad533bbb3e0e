// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import "syscall"

// tied has the kernel kill a child when its parent is gone.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
