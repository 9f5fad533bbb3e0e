// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package image builds the project's container images from its Dockerfiles, with or without a Docker daemon.
//
// Every image is a static binary on nothing ("FROM scratch"), so building one pulls nothing and takes a second. Where a
// Docker daemon answers it builds; elsewhere Debian's buildah does, without a daemon, in a storage beside the archive that is
// thrown away. Either way the result is an archive that containerd imports.
package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/orderflow-dev/orderflow/hack/local/process"
)

// Image is one image and where it comes from. Paths are relative to the folder it is built in.
type Image struct {
	Name   string // as pods name it: fully qualified, so that no registry is ever asked for another one
	File   string // the Dockerfile
	Target string // the stage in it
	Binary string // what it copies
}

// Project returns the images that the checkout builds: the product's and, after them, those of its tests.
func Project() []Image {
	of := func(file, target string) Image {
		return Image{Name: "ghcr.io/orderflow-dev/" + target + ":dev", File: file, Target: target, Binary: "bin/" + target}
	}
	return []Image{
		of("Dockerfile", "manager"), of("Dockerfile", "worker"),
		of("test/Dockerfile", "shop"), of("test/Dockerfile", "stub"),
	}
}

// Builder makes images out of the files in Root.
type Builder struct {
	Root   string
	Docker bool // whether a Docker daemon builds, and not buildah
}

// Archive builds the image and writes it to the file out, which must not exist.
func (b Builder) Archive(ctx context.Context, i Image, out string) error {
	if _, err := os.Stat(filepath.Join(b.Root, i.Binary)); err != nil {
		return fmt.Errorf("image %s is made of %s, which is not there: run `make build` first", i.Name, i.Binary)
	}
	if b.Docker {
		return b.docker(ctx, i, out)
	}
	return b.buildah(ctx, i, out)
}

func (b Builder) docker(ctx context.Context, i Image, out string) error {
	if err := b.run(ctx, "docker", "build", "--quiet", "--file", i.File, "--target", i.Target, "--tag", i.Name, "."); err != nil {
		return err
	}
	return b.run(ctx, "docker", "save", "--output", out, i.Name)
}

func (b Builder) buildah(ctx context.Context, i Image, out string) error {
	storage, err := os.MkdirTemp(filepath.Dir(out), "storage-")
	if err != nil {
		return fmt.Errorf("create a storage for buildah: %w", err)
	}
	defer os.RemoveAll(storage)
	// vfs copies where overlay would mount, and chroot isolates without a runtime: both work where little is allowed.
	global := []string{"buildah", "--root", filepath.Join(storage, "root"), "--runroot", filepath.Join(storage, "run"), "--storage-driver", "vfs"}
	build := append(global[:len(global):len(global)], "bud", "--quiet", "--isolation", "chroot", "--file", i.File, "--target", i.Target, "--tag", i.Name, ".")
	if err := b.run(ctx, build...); err != nil {
		return err
	}
	return b.run(ctx, append(global, "push", "--quiet", i.Name, "oci-archive:"+out+":"+i.Name)...)
}

func (b Builder) run(ctx context.Context, line ...string) error {
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = b.Root
	return process.Run(cmd)
}
