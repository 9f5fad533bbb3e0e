// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

import "syscall"

// tied does nothing: only Linux kills a child with its parent.
func tied() *syscall.SysProcAttr { return nil }
