// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	outFile = "out.log"

	// stopGrace is how long a node may take to end by itself before it is killed. A broker takes 5 s on an idle machine,
	// nearly all of it waiting for its own threads one after the other.
	stopGrace = 30 * time.Second
)

// node is one process of a cluster: how to run it, and the run under way.
type node struct {
	Command

	mu  sync.Mutex // guards run
	run *run
}

// run is one life of a node.
type run struct {
	process *os.Process
	done    chan struct{} // closed when it has ended
	err     error         // how it ended; read after done
}

// start runs the node. Its output is appended to that of earlier runs.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run != nil && !n.run.ended() {
		return fmt.Errorf("%s is running already", n.Name)
	}
	out, err := os.OpenFile(filepath.Join(n.Dir, outFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the output of %s: %w", n.Name, err)
	}
	defer out.Close()
	cmd := exec.Command(n.Line[0], n.Line[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.Dir, out, out
	cmd.Env = append(os.Environ(), n.Env...)
	cmd.SysProcAttr = processAttributes()
	r, err := begin(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	n.run = r
	return nil
}

// begin starts cmd and waits for its end on one and the same thread, which it keeps until then: the kernel's promise to
// kill the child with its parent is tied to the thread that forked, and the runtime may end any thread that no
// goroutine holds.
func begin(cmd *exec.Cmd) (*run, error) {
	r := &run{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		r.process = cmd.Process
		started <- err
		if err == nil {
			r.err = cmd.Wait()
			close(r.done)
		}
	}()
	return r, <-started
}

// current returns the run under way, or an error that says the node is down.
func (n *node) current() (*run, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run == nil || n.run.ended() {
		return nil, fmt.Errorf("%s is not running", n.Name)
	}
	return n.run, nil
}

// stackFrame is a line of a Java stack trace, of which there are too many to tell anything.
var stackFrame = regexp.MustCompile(`(?m)^\s+at .*\n?`)

// failed adds the node's last words to err.
func (n *node) failed(err error) error {
	out, readErr := os.ReadFile(filepath.Join(n.Dir, outFile))
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	return fmt.Errorf("%w\nits output ends:\n%s", err, lastLines(stackFrame.ReplaceAll(out, nil), 20))
}

func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (r *run) signal(s syscall.Signal) error {
	if err := r.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send it %s: %w", s, err)
	}
	return nil
}

// stop asks the node to end, in a way that a paused one hears too, and kills it when it has not after stopGrace or when
// ctx ends. It returns once the node is gone.
func (r *run) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if err := errors.Join(r.signal(syscall.SIGTERM), r.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return r.kill()
	}
}

// kill ends the node without warning and returns once it is gone.
func (r *run) kill() error {
	if err := r.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-r.done
	return nil
}
