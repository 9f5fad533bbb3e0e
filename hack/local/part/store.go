// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package part

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/lock"
	"github.com/orderflow-dev/orderflow/hack/local/process"
)

// module is how the project's own go.mod begins.
const module = "module github.com/orderflow-dev/orderflow\n"

// progressEvery is how often a build or a wait says that it is still going on.
const progressEvery = 15 * time.Second

// Store builds parts and keeps what was built.
type Store struct {
	Root  string    // the project's checkout, where the tool modules are
	Cache string    // folder with one folder per part
	Log   io.Writer // progress, a line at a time
}

// Open returns the store of the checkout that the working directory lies in, with the user's cache folder.
func Open(log io.Writer) (Store, error) {
	root, err := checkout()
	if err != nil {
		return Store{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Store{}, fmt.Errorf("find the user's cache folder: %w", err)
	}
	return Store{Root: root, Cache: filepath.Join(cache, "orderflow"), Log: log}, nil
}

// checkout walks up from the working directory to the project's go.mod.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(content, []byte(module)) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is outside of OrderFlow's checkout: change into it first")
		}
		dir = parent
	}
}

// Obtain returns the folder that holds the named binaries of p, all of them when none is named, and builds what is missing.
func (s Store) Obtain(ctx context.Context, p Part, names ...string) (string, error) {
	if len(names) == 0 {
		for _, b := range p.Binaries {
			names = append(names, b.Name)
		}
	}
	folder, err := p.folder(s.Root)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.Cache, folder)
	if holds(dir, names...) {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("create the folder of %s: %w", p.Name, err)
	}
	held, err := lock.Acquire(ctx, filepath.Join(dir, ".lock"), func() {
		fmt.Fprintf(s.Log, "waiting for another process that builds %s\n", p.Name)
	})
	if err != nil {
		return "", err
	}
	defer held.Close()
	for _, name := range names {
		if holds(dir, name) { // also what the holder of the lock before us has built
			continue
		}
		if err := s.build(ctx, p, name, dir); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// build links one binary and puts it into dir.
func (s Store) build(ctx context.Context, p Part, name, dir string) error {
	b, err := p.binary(name)
	if err != nil {
		return err
	}
	done := s.progress(fmt.Sprintf("building %s (%s %s)", name, p.Name, p.Version))
	err = link(ctx, filepath.Join(s.Root, p.Module), b.Package, filepath.Join(dir, name), "-tags", p.Tags, "-ldflags", p.LDFlags)
	done()
	return err
}

// Link builds a program of the project itself, named by its folder in the checkout ("./cmd/x"), and writes it to out. It keeps
// nothing: Go's own cache makes the second time cheap.
func (s Store) Link(ctx context.Context, program, out string) error {
	return link(ctx, s.Root, program, out, "-ldflags", "-s -w")
}

// link builds a static binary in the module at dir. It appears complete or not at all.
func link(ctx context.Context, dir, program, out string, flags ...string) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("create the folder of %s: %w", out, err)
	}
	partial := out + ".partial"
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-trimpath", "-o", partial}, flags, []string{program})...)
	cmd.Dir = dir
	// The tool modules stand alone: a workspace around the checkout must not change what is built.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if err := process.Run(cmd); err != nil {
		return fmt.Errorf("build %s: %w", program, err)
	}
	if err := os.Rename(partial, out); err != nil {
		return fmt.Errorf("publish %s: %w", out, err)
	}
	return nil
}

// progress says what begins, repeats it with the time it took so far, and says how long it took when the returned function
// is called.
func (s Store) progress(what string) (done func()) {
	began := time.Now()
	elapsed := func() time.Duration { return time.Since(began).Round(time.Second) }
	fmt.Fprintf(s.Log, "%s\n", what)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				fmt.Fprintf(s.Log, "%s: %s so far\n", what, elapsed())
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		fmt.Fprintf(s.Log, "%s: took %s\n", what, elapsed())
	}
}
