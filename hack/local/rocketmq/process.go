// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	outFile = "out.log"
	pidFile = "pid"

	// stopGrace is how long a node may take to end by itself before it is killed.
	stopGrace = 30 * time.Second
)

// node is one process of a cluster: how to run it, and the run under way.
type node struct {
	name    string
	dir     string
	command []string
	env     []string // in addition to this process's
	detach  bool

	mu  sync.Mutex // guards run
	run *run
}

// run is one life of a node.
type run struct {
	process *os.Process
	outFrom int64         // where its output begins in outFile
	done    chan struct{} // closed when it has ended
	err     error         // how it ended; read after done
}

// start runs the node. It fails if the node runs already, here or under another process.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return fmt.Errorf("create the folder of %s: %w", n.name, err)
	}
	pid, err := tryLock(filepath.Join(n.dir, pidFile))
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%s already runs in %s: stop it first", n.name, n.dir)
	}
	if err != nil {
		return fmt.Errorf("claim the pid file of %s: %w", n.name, err)
	}
	defer pid.Close() // the node's copy keeps the lock
	out, err := os.OpenFile(filepath.Join(n.dir, outFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the output of %s: %w", n.name, err)
	}
	defer out.Close()
	info, err := out.Stat()
	if err != nil {
		return fmt.Errorf("measure the output of %s: %w", n.name, err)
	}

	cmd := exec.Command(n.command[0], n.command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, out, out
	cmd.Env = append(os.Environ(), n.env...)
	cmd.ExtraFiles = []*os.File{pid}
	cmd.SysProcAttr = processAttributes(n.detach)
	r := &run{outFrom: info.Size(), done: make(chan struct{})}
	if err := r.begin(cmd); err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	n.run = r
	if err := writePID(pid, r.process.Pid); err != nil {
		_ = r.kill() // unreachable by StopDetached, so it must not live
		return fmt.Errorf("write the pid file of %s: %w", n.name, err)
	}
	return nil
}

// begin starts cmd and waits for its end on one and the same thread, which it keeps until then: the kernel's promise to
// kill the child with its parent is tied to the thread that forked, and the runtime may end any other one.
func (r *run) begin(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		r.process = cmd.Process
		started <- err
		if err != nil {
			return
		}
		r.err = cmd.Wait()
		close(r.done)
	}()
	return <-started
}

func writePID(file *os.File, pid int) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(pid)+"\n"), 0)
	return err
}

// current returns the run under way, or an error that says the node is down.
func (n *node) current() (*run, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run == nil || n.run.ended() {
		return nil, fmt.Errorf("%s is not running", n.name)
	}
	return n.run, nil
}

// output returns what this run of the node has printed so far.
func (n *node) output(r *run) ([]byte, error) {
	all, err := os.ReadFile(filepath.Join(n.dir, outFile))
	if err != nil {
		return nil, fmt.Errorf("read the output of %s: %w", n.name, err)
	}
	return bytes.TrimSpace(all[min(r.outFrom, int64(len(all))):]), nil
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
		return err
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
