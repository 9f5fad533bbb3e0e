// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/orderflow-dev/orderflow/hack/local/cluster"
	"github.com/orderflow-dev/orderflow/hack/local/image"
	"github.com/orderflow-dev/orderflow/hack/local/machine"
	"github.com/orderflow-dev/orderflow/hack/local/part"
)

func manager(log io.Writer) (cluster.Manager, error) {
	store, err := part.Open(log)
	return cluster.Manager{Store: store, Log: log}, err
}

func up(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) > 0 {
		return errUsage
	}
	m, err := manager(log)
	if err != nil {
		return err
	}
	env, err := m.Up(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "up (%s); RocketMQ's name server: %s from here, %s from pods\n",
		env.Way, strings.Join(env.NameServers, ","), strings.Join(env.NameServersInCluster, ","))
	export(out, env)
	return nil
}

func down(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) > 0 {
		return errUsage
	}
	m, err := manager(log)
	if err != nil {
		return err
	}
	removed, err := m.Down(ctx)
	for _, what := range removed {
		fmt.Fprintln(out, "removed", what)
	}
	if err == nil {
		fmt.Fprintln(out, "nothing is left")
	}
	return err
}

func status(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) > 0 {
		return errUsage
	}
	m, err := manager(log)
	if err != nil {
		return err
	}
	lines, healthy, err := m.Status(ctx)
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
	if err == nil && !healthy {
		err = errors.New("not every part runs: `up` starts what is down")
	}
	return err
}

// environment prints what a shell needs to use the cluster that is up.
func environment(ctx context.Context, args []string, out, _ io.Writer) error {
	if len(args) > 0 {
		return errUsage
	}
	env, err := cluster.Current(ctx)
	if err != nil {
		return err
	}
	export(out, env)
	return nil
}

func export(out io.Writer, env *cluster.Env) {
	fmt.Fprintf(out, "export KUBECONFIG=%s\n", env.Kubeconfig)
	if env.Kubectl != "" {
		fmt.Fprintf(out, "export PATH=%s:$PATH  # a kubectl of the cluster's version\n", filepath.Dir(env.Kubectl))
	}
}

func images(ctx context.Context, args []string, _, log io.Writer) error {
	if len(args) == 0 || args[0] != "build" {
		return errUsage
	}
	env, err := cluster.Current(ctx)
	if err != nil {
		return err
	}
	return buildImages(ctx, env, args[1:], log)
}

// buildImages builds the named images, all of them when none is named, and loads them.
func buildImages(ctx context.Context, env *cluster.Env, names []string, log io.Writer) error {
	store, err := part.Open(log)
	if err != nil {
		return err
	}
	builder := image.Builder{Root: store.Root, Docker: env.Way == cluster.WayKind}
	if !builder.Docker {
		if err := machine.Provide(ctx, log, machine.Image()...); err != nil {
			return err
		}
	}
	all := image.Project()
	for _, name := range names {
		if !slices.ContainsFunc(all, func(i image.Image) bool { return i.Target == name }) {
			return fmt.Errorf("no image is called %q", name)
		}
	}
	parent, err := cluster.Dir() // whose removal ends what an interrupted build leaves
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "image-")
	if err != nil {
		return fmt.Errorf("create a folder for archives: %w", err)
	}
	defer os.RemoveAll(dir)
	for _, i := range all {
		if len(names) > 0 && !slices.Contains(names, i.Target) {
			continue
		}
		archive := filepath.Join(dir, i.Target+".tar")
		if err := builder.Archive(ctx, i, archive); err != nil {
			return err
		}
		if err := env.Load(ctx, archive); err != nil {
			return err
		}
		fmt.Fprintln(log, "loaded", i.Name)
	}
	return nil
}

func assets(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) > 0 {
		return errUsage
	}
	store, err := part.Open(log)
	if err != nil {
		return err
	}
	dir, err := store.EnvtestAssets(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, dir)
	return nil
}
