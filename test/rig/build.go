// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Build builds the worker and returns its path.
func Build(t testing.TB) string {
	t.Helper()
	return build(t, "-trimpath", "-ldflags=-s -w")
}

// Panics begin the ids of orders at which the handler of a worker of BuildSick panics.
const Panics = "panic-"

// clockVariable has the moments at which the clock of a worker of BuildSick jumps, see Jumps.
const clockVariable = "ORDERFLOW_RIG_CLOCK"

// BuildSick builds a worker that is the same but for two faults that cannot be brought about from outside: the Push handler panics at orders whose ids begin
// with Panics, and the wall clock jumps as the pod's Jumps say. It replaces sources for this build alone; the checkout stays as it is.
func BuildSick(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for _, p := range []struct{ file, after, insert string }{
		{filepath.Join(goEnv(t, "GOROOT"), "src/time/time.go"), "\tsec, nsec, mono := runtimeNow()\n", "\tsec += rigClock(mono)\n"},
		{filepath.Join(root(t), "runtime/handler/push/push.go"), "func (b builder) build(ctx context.Context, m *message.Message) (step.Request, error) {\n",
			fmt.Sprintf("\tif id, _ := step.OrderID(m); len(fmt.Sprint(id)) > %d && fmt.Sprint(id)[:%d] == %q {\n\t\tpanic(id)\n\t}\n", len(Panics), len(Panics), Panics)},
	} {
		replace[p.file] = patch(t, dir, p.file, p.after, p.insert)
	}
	clock := filepath.Join(dir, "clock.go")
	must(t, os.WriteFile(clock, []byte(clockSource), 0o600))
	replace[filepath.Join(goEnv(t, "GOROOT"), "src/time/rig.go")] = clock
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	file := filepath.Join(dir, "overlay.json")
	must(t, os.WriteFile(file, overlay, 0o600))
	return build(t, "-overlay="+file)
}

// clockSource belongs to package time: the variable holds pairs of a moment, in seconds of the monotonic clock, and by how many seconds the wall clock is
// wrong from then on.
const clockSource = `package time

import "syscall"

var rigJumps = func() (jumps [][2]int64) {
	text, _ := syscall.Getenv("` + clockVariable + `")
	for n, i, sign, digits := [2]int64{}, 0, int64(1), false; ; text = text[1:] {
		switch {
		case len(text) > 0 && text[0] == '-':
			sign = -1
		case len(text) > 0 && text[0] >= '0' && text[0] <= '9':
			n[i], digits = n[i]*10+int64(text[0]-'0'), true
		case digits:
			n[i] *= sign
			if i == 1 {
				jumps, n = append(jumps, n), [2]int64{}
			}
			i, sign, digits = 1-i, 1, false
		}
		if len(text) == 0 {
			return jumps
		}
	}
}()

func rigClock(mono int64) (wrong int64) {
	for _, jump := range rigJumps {
		if mono/1e9 >= jump[0] {
			wrong = jump[1]
		}
	}
	return wrong
}
`

// patch writes a copy of a source with something inserted after a line, and fails the test if there is no such line any more.
func patch(t testing.TB, dir, file, after, insert string) string {
	t.Helper()
	source, err := os.ReadFile(file)
	must(t, err)
	if strings.Count(string(source), after) == 0 {
		t.Fatalf("%s has no line %q any more: the sick worker cannot be built", file, after)
	}
	text := strings.Replace(string(source), after, after+insert, 1)
	if strings.Contains(insert, "fmt.") && !strings.Contains(text, "\"fmt\"") {
		text = strings.Replace(text, "import (\n", "import (\n\t\"fmt\"\n", 1)
	}
	patched := filepath.Join(dir, filepath.Base(file))
	must(t, os.WriteFile(patched, []byte(text), 0o600))
	return patched
}

func build(t testing.TB, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worker")
	args := append([]string{"build", "-o", path}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./cmd/worker")...)
	cmd.Dir, cmd.Env = root(t), append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the worker: %v\n%s", err, said)
	}
	return path
}

// root is the checkout's.
func root(t testing.TB) string {
	t.Helper()
	return filepath.Dir(goEnv(t, "GOMOD"))
}

func goEnv(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
