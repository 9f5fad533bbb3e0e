// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Package lock lets processes take turns. A lock is a file locked with flock: it ends with the process that holds it,
// however that ends, so nothing stale can stay behind and the file itself means nothing.
package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often a held lock is tried again: flock has no wait that a context can end.
const poll = 200 * time.Millisecond

// Acquire waits until this process holds the lock at path, or ctx ends. It calls waiting once if it cannot have it at
// once. Release it by closing the file.
func Acquire(ctx context.Context, path string, waiting func()) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("create the folder of the lock: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	for first := true; ; first = false {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("wait for the lock %s: %w", path, ctx.Err())
		case <-time.After(poll):
		}
	}
}
