// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers is the control plane: it watches OrderFlow's kinds and makes the world as they declare.
//
// DESIGN.md beside this file says how a reconcile is built, what belongs where, and which invariants once caused bugs.
package controllers
