// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package rocketmq

import "syscall"

// processAttributes gives a node a process group of its own. Nothing here ties it to its parent.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
