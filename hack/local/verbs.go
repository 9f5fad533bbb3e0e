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
	if env.Kubectl != "" {
		fmt.Fprintf(log, "a kubectl of its version: %s\n", env.Kubectl)
	}
	fmt.Fprintf(out, "export KUBECONFIG=%s\n", env.Kubeconfig)
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

func left(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) > 0 {
		return errUsage
	}
	m, err := manager(log)
	if err != nil {
		return err
	}
	all, err := m.Left(ctx)
	for _, what := range all {
		fmt.Fprintln(out, what)
	}
	if err == nil && len(all) > 0 {
		err = fmt.Errorf("%d things of a cluster are on this machine", len(all))
	}
	return err
}

func kubeconfig(ctx context.Context, args []string, out, _ io.Writer) error {
	if len(args) > 0 {
		return errUsage
	}
	env, err := cluster.Current(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, env.Kubeconfig)
	return nil
}

func images(ctx context.Context, args []string, _, log io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	env, err := cluster.Current(ctx)
	if err != nil {
		return err
	}
	switch args[0] {
	case "load":
		for _, archive := range args[1:] {
			if err := env.Load(ctx, archive); err != nil {
				return err
			}
		}
		return nil
	case "build":
		return buildImages(ctx, env, args[1:], log)
	}
	return errUsage
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

func build(ctx context.Context, args []string, _, log io.Writer) error {
	kube, node := []part.Part{part.Kubernetes()}, []part.Part{part.Containerd(), part.CoreDNS()}
	parts := map[string][]part.Part{"kube": kube, "node": node, "all": append(kube, node...)}
	if len(args) != 1 || parts[args[0]] == nil {
		return errUsage
	}
	store, err := part.Open(log)
	if err != nil {
		return err
	}
	for _, p := range parts[args[0]] {
		if _, err := store.Obtain(ctx, p); err != nil {
			return err
		}
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
