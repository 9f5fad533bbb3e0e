// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The cores: the broker, and in the benchmarks of the whole chain the third party, have one, engines the other.
const (
	brokerCore = 0
	engineCore = 1
)

// patience bounds a run of an engine.
const patience = 2 * time.Minute

// process is an engine that runs.
type process struct {
	*exec.Cmd
	stdin  io.Closer
	stdout *json.Decoder
}

// engine is this binary as an engine.
func (e engine) command(t *testing.T) *exec.Cmd {
	t.Helper()
	options, err := json.Marshal(e)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), engineVariable+"="+string(options)), t.Output()
	return cmd
}

// start starts an engine on a core. It ends with its input, which end closes, or the death of this process.
func start(t *testing.T, cmd *exec.Cmd, core int) *process {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	var all, only unix.CPUSet
	only.Set(core)
	runtime.LockOSThread() // a process begins on the cores of the thread that forked it, and Go and Java count them
	defer runtime.UnlockOSThread()
	must(t, unix.SchedGetaffinity(0, &all))
	must(t, unix.SchedSetaffinity(0, &only))
	err = cmd.Start()
	must(t, unix.SchedSetaffinity(0, &all))
	must(t, err)
	return &process{cmd, stdin, json.NewDecoder(stdout)}
}

// result waits for what the engine prints.
func (p *process) result(t *testing.T) (r result) {
	t.Helper()
	timeout := time.AfterFunc(patience, func() { _ = p.Process.Kill() }) // Decode tells
	defer timeout.Stop()
	if err := p.stdout.Decode(&r); err != nil {
		t.Fatalf("an engine came to no result within %s: %v", patience, err)
	}
	return r
}

// end ends the engine.
func (p *process) end(t *testing.T) {
	t.Helper()
	must(t, p.stdin.Close())
	timeout := time.AfterFunc(patience, func() { _ = p.Process.Kill() }) // Wait tells
	defer timeout.Stop()
	if err := p.Wait(); err != nil {
		t.Errorf("an engine ended badly: %v", err)
	}
}

// measure runs an engine on the engines' core until it has come to a result.
func measure(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	p := start(t, cmd, engineCore)
	r := p.result(t)
	p.end(t)
	return r
}

// pin keeps all threads of a process that runs on a core. A thread begins on the cores of the one that made it: once none is found elsewhere, none will be.
func pin(t *testing.T, pid, core int) {
	t.Helper()
	var only unix.CPUSet
	only.Set(core)
	for moved := true; moved; {
		moved = false
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		must(t, err)
		for _, thread := range threads {
			tid, err := strconv.Atoi(filepath.Base(thread))
			must(t, err)
			var cores unix.CPUSet
			if unix.SchedGetaffinity(tid, &cores) != nil || cores == only { // it may have ended
				continue
			}
			must(t, unix.SchedSetaffinity(tid, &only))
			moved = true
		}
	}
}

// endOfInput ends with the process's input.
func endOfInput() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is what counts
		cancel()
	}()
	return ctx
}
