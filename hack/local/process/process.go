// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The variables that mark a process, see the package's story.
const (
	groupVariable = "ORDERFLOW_LOCAL_GROUP"
	nameVariable  = "ORDERFLOW_LOCAL_PROCESS"
)

// poll is how often a condition of a process is looked at again.
const poll = 100 * time.Millisecond

// The bound of the wait for an execve that is under way: it takes microseconds, or as long as its CPU is taken away.
const (
	environLooks = 50
	environPause = 2 * time.Millisecond
)

// Group is a set of processes that live and end together.
type Group struct {
	// Dir is the group's folder, absolute, and its identity. Each process has the folder Dir/<name>, with its output in log.
	Dir string
	// Enter is a command line that runs the command appended to it elsewhere, for example in namespaces. Default: right here.
	Enter []string
}

// Process is one running process of a group.
type Process struct {
	PID  int
	Name string // of the Spec it was started from, itself or an ancestor of it
	Exe  string // path of the program it runs now
}

// String names the process for a person.
func (p Process) String() string {
	return fmt.Sprintf("%s (%s, pid %d)", p.Name, filepath.Base(p.Exe), p.PID)
}

// List returns every process of the group, descendants included, in no particular order.
func (g Group) List() ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue // not a process
		}
		if p, ok := g.inspect(pid); ok {
			all = append(all, p)
		}
	}
	return all, nil
}

// inspect reads what the process is, and whether it belongs to the group. One that ends meanwhile does not.
func (g Group) inspect(pid int) (Process, bool) {
	environment, err := environ(pid)
	if err != nil {
		return Process{}, false
	}
	variables := bytes.Split(environment, []byte{0})
	if !slices.ContainsFunc(variables, func(v []byte) bool { return string(v) == groupVariable+"="+g.Dir }) {
		return Process{}, false
	}
	p := Process{PID: pid}
	for _, v := range variables {
		if name, ok := strings.CutPrefix(string(v), nameVariable+"="); ok {
			p.Name = name
		}
	}
	p.Exe, err = os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return p, err == nil // a zombie has no program any more
}

// environ reads a process's environment. While one program replaces another (execve) the kernel shows none for an instant, and a
// process of the group would pass for a stranger: one that has a program but no environment is looked at again.
func environ(pid int) (environment []byte, err error) {
	for range environLooks {
		environment, err = os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || len(environment) > 0 {
			return environment, err
		}
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil {
			return nil, err // the kernel's own, or a zombie
		}
		time.Sleep(environPause) //nolint:forbidigo // nothing announces the end of an execve
	}
	return nil, nil // it was started without any
}

// Find returns the process that runs the spec, and not a helper or child of it, or ok = false.
func (g Group) Find(spec Spec) (found Process, ok bool, err error) {
	all, err := g.List()
	if err != nil {
		return Process{}, false, err
	}
	for _, p := range all {
		if p.Name == spec.Name && filepath.Base(strings.TrimSuffix(p.Exe, " (deleted)")) == filepath.Base(spec.Path) {
			return p, true, nil
		}
	}
	return Process{}, false, nil
}

// Signal sends s to the process if it still belongs to the group, and does nothing otherwise.
func (g Group) Signal(p Process, s syscall.Signal) error {
	handle, err := os.FindProcess(p.PID) // a pidfd: from here on the number cannot change its meaning
	if err != nil {
		return nil // it has ended
	}
	defer handle.Release() //nolint:errcheck // only closes the handle
	if now, ok := g.inspect(p.PID); !ok || now.Name != p.Name {
		return nil
	}
	if err := handle.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p, err)
	}
	return nil
}

// KillAll ends every process of the group and returns those it found, when none is left or ctx has ended.
func (g Group) KillAll(ctx context.Context) ([]Process, error) {
	seen := map[int]Process{}
	for {
		all, err := g.List()
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return slices.SortedFunc(maps.Values(seen), func(a, b Process) int { return a.PID - b.PID }), nil
		}
		for _, p := range all {
			seen[p.PID] = p
			if err := g.Signal(p, syscall.SIGKILL); err != nil {
				return nil, err
			}
		}
		if err := wait(ctx); err != nil {
			return nil, fmt.Errorf("%s does not end although it was killed: %w", all[0], err)
		}
	}
}

func wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(poll):
		return nil
	}
}
