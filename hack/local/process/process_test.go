// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// sleeper is a program that does nothing for longer than any test takes.
func sleeper(t *testing.T, name string) Spec {
	t.Helper()
	path, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	return Spec{Name: name, Path: path, Args: []string{"600"}}
}

// newGroup is a group of which nothing outlives the test.
func newGroup(t *testing.T) Group {
	t.Helper()
	g := Group{Dir: t.TempDir()}
	t.Cleanup(func() {
		if _, err := g.KillAll(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return g
}

// executing is a readiness check: setsid has become the program.
func (g Group) executing(spec Spec) Spec {
	bare := spec
	spec.Ready = func(context.Context) error {
		if _, running, err := g.Find(bare); err != nil || !running {
			return errors.Join(err, errors.New("not yet"))
		}
		return nil
	}
	return spec
}

func TestStartIsIdempotentAndFindsWhatAnotherGroupValueStarted(t *testing.T) {
	g := newGroup(t)
	spec := g.executing(sleeper(t, "one"))
	for range 2 {
		if err := g.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	all, err := (Group{Dir: g.Dir}).List()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Name != "one" {
		t.Fatalf("processes %v, want the one", all)
	}
	if session, err := getsid(all[0].PID); err != nil || session != all[0].PID {
		t.Errorf("session %d of process %d, error %v: a terminal's hang-up would end it", session, all[0].PID, err)
	}
}

func TestAProcessIsNeverMissedWhileItReplacesItsProgram(t *testing.T) {
	g := newGroup(t)
	script := filepath.Join(t.TempDir(), "again")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ $1 -eq 0 ] && exec sleep 600\nexec $0 $(($1 - 1))\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	spec := Spec{Name: "one", Path: script, Args: []string{"1500"}}
	if err := g.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	all, err := g.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("processes %v, error %v, want one", all, err)
	}
	for looks := 0; ; looks++ {
		p, ok := g.inspect(all[0].PID)
		if !ok {
			t.Fatalf("look %d missed a process that runs", looks)
		}
		if filepath.Base(p.Exe) == "sleep" {
			return
		}
	}
}

func getsid(pid int) (int, error) {
	session, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(session), nil
}

func TestKillEndsOneProcessAndNoOther(t *testing.T) {
	g := newGroup(t)
	one, two := g.executing(sleeper(t, "one")), g.executing(sleeper(t, "two"))
	if err := g.Start(t.Context(), one, two); err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if _, running, err := g.Find(one); err != nil || running {
		t.Errorf("one runs %v, error %v after Kill", running, err)
	}
	if _, running, err := g.Find(two); err != nil || !running {
		t.Errorf("two runs %v, error %v although only one was killed", running, err)
	}
}

func TestAProgramThatEndsFailsTheStartWithItsLastWords(t *testing.T) {
	g := newGroup(t)
	err := g.Start(t.Context(), Spec{
		Name: "short", Path: "/bin/sh", Args: []string{"-c", "echo no such luck >&2; exit 3"},
		Ready: func(context.Context) error { return errors.New("not ready") },
	})
	if err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("error %v, want the program's last words", err)
	}
}

func TestAProgramThatIsNotThereFailsTheStart(t *testing.T) {
	g := newGroup(t)
	err := g.Start(t.Context(), Spec{
		Name: "absent", Path: "/nonexistent/program", Ready: func(context.Context) error { return errors.New("not ready") },
	})
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/program") {
		t.Errorf("error %v, want one that names the program", err)
	}
}

func TestASignalNeverReachesAStranger(t *testing.T) {
	g := newGroup(t)
	stranger := exec.Command("sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	// As if the kernel had given the number of a process of ours to someone else.
	if err := g.Signal(Process{PID: stranger.Process.Pid, Name: "one"}, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger is gone: %v", err)
	}
}

func TestKillAllEndsDescendantsToo(t *testing.T) {
	g := newGroup(t)
	err := g.Start(t.Context(), Spec{Name: "parent", Path: "/bin/sh", Args: []string{"-c", "sleep 600 & sleep 600"}, Ready: func(context.Context) error {
		if all, err := g.List(); err != nil || len(all) < 3 {
			return errors.Join(err, errors.New("not all are born"))
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	killed, err := g.KillAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(killed) < 3 {
		t.Errorf("killed %v, want the shell and its two children", killed)
	}
	if left, err := g.List(); err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v", left, err)
	}
}

func TestProgramsSeeNothingOfOurEnvironmentButThePath(t *testing.T) {
	t.Setenv("A_SECRET", "hush")
	environment := strings.Join(Group{Dir: t.TempDir()}.Environment(Spec{Name: "one", Path: "/opt/one"}), "\n")
	if strings.Contains(environment, "A_SECRET") {
		t.Errorf("the environment leaks: %s", environment)
	}
	if !strings.Contains(environment, "PATH=/opt:"+os.Getenv("PATH")) {
		t.Errorf("the program does not find what lies beside it: %s", environment)
	}
}
