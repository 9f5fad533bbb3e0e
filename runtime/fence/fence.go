// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fence tells, at the moment a third party is called, whether the message's queue is certainly ours.
//
// A message is handed out only while it is. But a process may be frozen right after that, for as long as it takes to lose its queues, and wake up before
// anything tells it so. Whoever makes calls asks once more, as late as it can: the answer is by the monotonic clock, which has gone on. What is left are
// the microseconds between that question and the first byte.
package fence

import "context"

type key struct{}

// With returns a context whose fence is stands.
func With(ctx context.Context, stands func() bool) context.Context {
	return context.WithValue(ctx, key{}, stands)
}

// Stands reports whether a call may be made. A context without a fence has nothing to lose.
func Stands(ctx context.Context) bool {
	stands, fenced := ctx.Value(key{}).(func() bool)
	return !fenced || stands()
}
