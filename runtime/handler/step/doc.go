// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package step is what handlers are made of: a step maps a message to one request to a third party. Each handler is a folder beside this one whose
// Steps function turns what the user declared into steps; package handler runs them.
package step
