// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Cgroup is the parent of all cgroups of the cluster's pods, in every hierarchy.
const Cgroup = "/orderflow"

// cgroupPoll is how often the removal of a cgroup is tried again: it is busy until its last process is buried.
const cgroupPoll = 50 * time.Millisecond

// hierarchies returns where cgroup hierarchies are mounted, out of the text of /proc/self/mountinfo: one with cgroup v2,
// one per controller with v1.
func hierarchies(mountinfo string) []string {
	var mounts []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		dash := slices.Index(fields, "-")
		if dash < 0 || dash+1 >= len(fields) || !strings.HasPrefix(fields[dash+1], "cgroup") {
			continue
		}
		mounts = append(mounts, fields[4])
	}
	return mounts
}

// roots returns the path of Cgroup in every hierarchy.
func roots() ([]string, error) {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list cgroup hierarchies: %w", err)
	}
	paths := hierarchies(string(mountinfo))
	for i, path := range paths {
		paths[i] = filepath.Join(path, Cgroup)
	}
	return paths, nil
}

// makeCgroups creates Cgroup, which the kubelet wants to find.
func makeCgroups() error {
	paths, err := roots()
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := delegate(filepath.Dir(path)); err != nil {
			return err
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			return fmt.Errorf("create the cgroup of the cluster: %w", err)
		}
	}
	return nil
}

// delegate lets children of a cgroup v2 have the controllers that a kubelet insists on, as far as the machine has them: systemd leaves out some. On v1,
// where each hierarchy is a controller, there is nothing to do.
func delegate(root string) error {
	available, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the cgroup controllers: %w", err)
	}
	for _, controller := range strings.Fields(string(available)) {
		if !slices.Contains([]string{"cpu", "cpuset", "memory", "hugetlb", "pids"}, controller) {
			continue
		}
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("delegate the cgroup controller %s: %w", controller, err)
		}
	}
	return nil
}

// listCgroups returns Cgroup and everything below it, children before parents.
func listCgroups() ([]string, error) {
	paths, err := roots()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				all = append(all, path)
			}
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
				return nil // there is none, or it has gone meanwhile
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list cgroups: %w", err)
		}
	}
	slices.Reverse(all)
	return all, nil
}

// removeCgroups removes Cgroup and everything below it and returns how many that were.
func removeCgroups(ctx context.Context) (int, error) {
	all, err := listCgroups()
	if err != nil {
		return 0, err
	}
	for _, path := range all {
		for {
			err := syscall.Rmdir(path)
			if err == nil || errors.Is(err, syscall.ENOENT) {
				break
			}
			select {
			case <-ctx.Done():
				return 0, fmt.Errorf("remove cgroup %s: %w", path, err)
			case <-time.After(cgroupPoll):
			}
		}
	}
	return len(all), nil
}
