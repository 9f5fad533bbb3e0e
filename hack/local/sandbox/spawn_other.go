// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package sandbox

import "errors"

func (Sandbox) spawn() (pid int, err error) {
	return 0, errors.New("make a sandbox: only Linux has namespaces")
}
