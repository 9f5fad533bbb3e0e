// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asWorker makes this test binary the command itself.
const asWorker = "ORDERFLOW_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestAWorkerThatCannotStartSaysWhyAndFails(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0], "-structure", "/nowhere/structure.json")
	command.Env = append(os.Environ(), asWorker+"=1")
	out, err := command.Output()
	if err == nil || command.ProcessState.ExitCode() != 1 {
		t.Errorf("got %v, want exit code 1", err)
	}
	var line struct{ Level, Msg, Error string }
	if err := json.Unmarshal(out, &line); err != nil {
		t.Fatalf("the log is no JSON line: %v\n%s", err, out)
	}
	if line.Level != "ERROR" || !strings.Contains(line.Error, "read the structure: open /nowhere/structure.json: no such file or directory") {
		t.Errorf("got %+v", line)
	}
}
