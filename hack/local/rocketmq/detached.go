// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// StopDetached ends the nodes that Start left running in dir, the brokers first, from whatever process. A node that
// does not end by itself within 30 s, or when ctx ends, is killed. It signals a process only while that holds the lock
// of its pid file, so never a stranger who has come by the number. A folder without nodes is fine.
func StopDetached(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*", pidFile))
	if err != nil {
		return fmt.Errorf("list the pid files in %s: %w", dir, err)
	}
	var wait sync.WaitGroup
	errs := make([]error, len(files)+1)
	for i, file := range files {
		if filepath.Base(filepath.Dir(file)) != nameServer {
			wait.Go(func() { errs[i] = stopByPID(ctx, file) })
		}
	}
	wait.Wait()
	if file := filepath.Join(dir, nameServer, pidFile); exists(file) {
		errs[len(files)] = stopByPID(ctx, file)
	}
	return errors.Join(errs...)
}

// stopByPID ends the process that holds the lock of a pid file, if there is one.
func stopByPID(ctx context.Context, file string) error {
	lock, err := tryLock(file)
	if err == nil {
		return lock.Close() // nobody holds it: the node is gone
	}
	if !errors.Is(err, errLocked) {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read a pid file: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return fmt.Errorf("%s names no process, its node is just being started: try again", file)
	}
	if err := errors.Join(signalPID(pid, syscall.SIGTERM), signalPID(pid, syscall.SIGCONT)); err != nil {
		return err
	}
	grace, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if lock, err = acquire(grace, file, func() {}); err == nil {
		return lock.Close()
	}
	if grace.Err() == nil {
		return err
	}
	if err := signalPID(pid, syscall.SIGKILL); err != nil {
		return err
	}
	if lock, err = acquire(context.WithoutCancel(ctx), file, func() {}); err != nil {
		return err
	}
	return lock.Close()
}

func signalPID(pid int, s syscall.Signal) error {
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", s, pid, err)
	}
	return nil
}
