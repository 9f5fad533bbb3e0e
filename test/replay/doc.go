// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package replay sees dead letters through: a worker's process makes them, a DeadLetterReplay gives them back, and the worker handles them. Worker, broker and API
// server are real. It is a package of its own since it needs both planes.
package replay
