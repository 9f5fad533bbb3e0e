// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	// readyTimeout bounds the wait for one process: the slowest start seen on two busy cores, several times over.
	readyTimeout = 3 * time.Minute
	// killTimeout bounds the wait for the end of a killed process.
	killTimeout = 20 * time.Second
	// tailBytes of a program's output go into the error that says it failed.
	tailBytes = 1000
)

// Spec is one program to keep running, as data.
type Spec struct {
	Name string   // unique in the group
	Path string   // of the program, absolute
	Args []string // without the program itself
	Env  []string // in addition to PATH, HOME and the group's marks
	// Ready says with nil that others can use it now, else why not. Default: as soon as it runs.
	Ready func(ctx context.Context) error
}

// Folder is where the named process works and where its output is.
func (g Group) Folder(name string) string { return filepath.Join(g.Dir, name) }

// Start runs the specs together, those that run already excepted, and returns when all of them are ready. It fails with the
// last lines of the output of the one that ended or did not become ready.
func (g Group) Start(ctx context.Context, specs ...Spec) error {
	for _, spec := range specs {
		_, running, err := g.Find(spec)
		if err != nil {
			return err
		}
		if running {
			continue
		}
		if err := g.launch(ctx, spec); err != nil {
			return err
		}
	}
	for _, spec := range specs {
		if err := g.await(ctx, spec); err != nil {
			return err
		}
	}
	return nil
}

// launch runs the program in the background: setsid gives it a session and leaves it to the next reaper at once, so
// nothing of ours stands between it and the namespaces it lives in.
func (g Group) launch(ctx context.Context, spec Spec) error {
	folder := g.Folder(spec.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("create the folder of %s: %w", spec.Name, err)
	}
	log, err := os.OpenFile(filepath.Join(folder, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the output of %s: %w", spec.Name, err)
	}
	defer log.Close()
	// Entering a mount namespace loses the working directory; env takes it up again.
	cmd := g.Command(ctx, slices.Concat([]string{"env", "--chdir=" + folder, "setsid", "--fork", spec.Path}, spec.Args)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = g.Environment(spec)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("start %s: %w\n%s", spec.Name, err, g.tail(spec.Name))
	}
	return nil
}

// Command is a program that ends by itself, to be run where the group's processes run.
func (g Group) Command(ctx context.Context, line ...string) *exec.Cmd {
	line = slices.Concat(g.Enter, line)
	return exec.CommandContext(ctx, line[0], line[1:]...)
}

// Environment is all that the program sees of the environment: a path on which it finds what lies beside it and the system's
// programs, and the marks.
func (g Group) Environment(spec Spec) []string {
	return append([]string{
		"PATH=" + filepath.Dir(spec.Path) + ":" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin",
		"HOME=" + g.Folder(spec.Name),
		groupVariable + "=" + g.Dir,
		nameVariable + "=" + spec.Name,
	}, spec.Env...)
}

// await returns when the program is ready.
func (g Group) await(ctx context.Context, spec Spec) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		alive, err := g.alive(spec.Name)
		if err != nil {
			return err
		}
		if !alive {
			return fmt.Errorf("%s ended although it should keep running; it said:\n%s", spec.Name, g.tail(spec.Name))
		}
		if spec.Ready == nil {
			return nil
		}
		unready := spec.Ready(ctx)
		if unready == nil {
			return nil
		}
		if err := wait(ctx); err != nil {
			return fmt.Errorf("%s is not ready: %w; it said:\n%s", spec.Name, unready, g.tail(spec.Name))
		}
	}
}

// alive says whether anything of that name runs. It is not Find, because for an instant the name belongs to setsid.
func (g Group) alive(name string) (bool, error) {
	all, err := g.List()
	return slices.ContainsFunc(all, func(p Process) bool { return p.Name == name }), err
}

// Kill ends the spec's process without asking it. It returns once it is gone.
func (g Group) Kill(ctx context.Context, spec Spec) error {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	for {
		p, running, err := g.Find(spec)
		if err != nil || !running {
			return err
		}
		if err := g.Signal(p, syscall.SIGKILL); err != nil {
			return err
		}
		if err := wait(ctx); err != nil {
			return fmt.Errorf("%s does not end although it was killed: %w", p, err)
		}
	}
}

// tail returns the end of a process's output.
func (g Group) tail(name string) []byte {
	out, err := os.ReadFile(filepath.Join(g.Folder(name), "log"))
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(out[max(0, len(out)-tailBytes):])
}
