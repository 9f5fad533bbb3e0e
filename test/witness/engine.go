// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"context"
	"os/exec"
	"testing"
)

// EngineOptions says what the Java client does in a benchmark. See java/Engine.java for what it prints.
type EngineOptions struct {
	Client
	// Concurrency is the number of consuming threads, Batch how many messages a listener gets at once, Pull how many a pull asks for, Ahead how many of
	// a queue are held; 0 is the client's default.
	Concurrency int `json:"concurrency"`
	Batch       int `json:"batch"`
	Pull        int `json:"pull"`
	Ahead       int `json:"ahead,omitempty"`
	// Orderly consumes queue by queue in order. Default: concurrently.
	Orderly bool `json:"orderly,omitempty"`
	// URL is called for every order. Default: nothing is done.
	URL string `json:"url,omitempty"`
	// Warm messages go before the Measure that are measured.
	Warm    int64 `json:"warm"`
	Measure int64 `json:"measure"`
}

// Engine returns how to run the Java client as fast as it can: compiled for speed rather than for a quick start, unless java says otherwise.
func Engine(ctx context.Context, t testing.TB, o EngineOptions, java ...string) *exec.Cmd {
	t.Helper()
	return command(ctx, t, "Engine", o, append([]string{"-XX:TieredStopAtLevel=4"}, java...)...)
}
