// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package control measures the control plane: `make bench-control` writes out/bench-control.json.
package control
