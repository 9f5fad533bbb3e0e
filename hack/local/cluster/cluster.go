// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/orderflow-dev/orderflow/hack/local/lock"
	"github.com/orderflow-dev/orderflow/hack/local/machine"
	"github.com/orderflow-dev/orderflow/hack/local/part"
)

// way is one of the two ways to a cluster. Every method works on whatever an earlier one, or a killed one, left.
type way interface {
	up(ctx context.Context) (*Env, error)
	// down removes everything and returns what that was, in words.
	down(ctx context.Context) ([]string, error)
	// status returns a line per part, and whether all of them run.
	status(ctx context.Context) (lines []string, healthy bool, err error)
	// left lists what there is of the cluster on this machine.
	left(ctx context.Context) ([]string, error)
	load(ctx context.Context, archive string) error
	hangBroker(ctx context.Context) error
	restartBroker(ctx context.Context) error
	stopAPIServer(ctx context.Context) error
	startAPIServer(ctx context.Context) error
}

// Manager brings the user's cluster up and down.
type Manager struct {
	Store part.Store
	Log   io.Writer // progress, a line at a time
}

// Up makes sure that a complete cluster is up and returns it.
func (m Manager) Up(ctx context.Context) (*Env, error) {
	return exclusively(ctx, m.Log, func() (*Env, error) {
		env, err := Current(ctx)
		if err != nil && !errors.Is(err, ErrDown) {
			return nil, err
		}
		name := WayLocal
		if env != nil {
			name = env.Way // a daemon that has come up since does not make a second cluster
		} else if machine.Docker(ctx) {
			name = WayKind
		}
		way, err := m.way(name)
		if err != nil {
			return nil, err
		}
		if env, err = way.up(ctx); err != nil {
			return nil, err
		}
		return env, env.save()
	})
}

// Down removes the cluster and everything that belongs to it, and returns what that was, in words. It fails if anything is
// left.
func (m Manager) Down(ctx context.Context) ([]string, error) {
	return exclusively(ctx, m.Log, func() ([]string, error) {
		if env, err := Current(ctx); err == nil && env.Way == WayKind && !machine.Docker(ctx) {
			return nil, errors.New("the cluster is kind's, and no Docker daemon answers: start it, then take the cluster down")
		}
		ways, err := m.ways(ctx)
		if err != nil {
			return nil, err
		}
		var removed []string
		var failures []error
		for _, way := range ways {
			words, err := way.down(ctx)
			removed = append(removed, words...)
			failures = append(failures, err)
		}
		if err := errors.Join(failures...); err != nil {
			return removed, err
		}
		left, err := m.Left(ctx)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("left behind although it was removed: %q", left)
		}
		return removed, err
	})
}

// Left lists everything of a cluster that is on this machine: nothing after Down.
func (m Manager) Left(ctx context.Context) ([]string, error) {
	ways, err := m.ways(ctx)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, way := range ways {
		left, err := way.left(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, left...)
	}
	return all, nil
}

// Status returns a line for each part of the cluster that is up, and whether all of them run, or ErrDown.
func (m Manager) Status(ctx context.Context) (lines []string, healthy bool, err error) {
	env, err := Current(ctx)
	if err != nil {
		return nil, false, err
	}
	way, err := m.way(env.Way)
	if err != nil {
		return nil, false, err
	}
	return way.status(ctx)
}

// way makes the named way.
func (m Manager) way(name string) (way, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	switch name {
	case WayKind:
		return newKind(dir, m.Store.Root, m.Log), nil
	case WayLocal:
		return &local{dir: dir, store: m.Store, log: m.Log}, nil
	}
	return nil, fmt.Errorf("the cluster that is up was made in an unknown way %q: remove %s", name, dir)
}

// ways returns every way that may have left something on this machine: kind's clusters can only be asked about where a
// Docker daemon answers.
func (m Manager) ways(ctx context.Context) ([]way, error) {
	var names []string
	if runtime.GOOS == "linux" {
		names = append(names, WayLocal)
	}
	if machine.Docker(ctx) {
		names = append(names, WayKind)
	}
	var ways []way
	for _, name := range names {
		way, err := m.way(name)
		if err != nil {
			return nil, err
		}
		ways = append(ways, way)
	}
	return ways, nil
}

// exclusively runs what changes the cluster while no other process does. The lock lies beside the cluster's folder, which
// comes and goes.
func exclusively[T any](ctx context.Context, log io.Writer, change func() (T, error)) (T, error) {
	var none T
	dir, err := Dir()
	if err != nil {
		return none, err
	}
	held, err := lock.Acquire(ctx, dir+".lock", func() {
		fmt.Fprintln(log, "waiting for another process that brings the cluster up or down")
	})
	if err != nil {
		return none, err
	}
	defer held.Close()
	return change()
}
