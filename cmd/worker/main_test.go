// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asWorker makes this test binary the command itself.
const asWorker = "ORDERFLOW_TEST_AS_WORKER"

// canary is part of a request: nothing a worker writes may contain it.
const canary = "s3cr3t-value"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		flag.BoolFunc("ask", "call a third party that says more than it is asked, as the flags are read", func(string) error { return ask() })
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

// ask makes a request of which the answer is followed by what was sent. It returns once net/http has seen that: then it closes the connection.
func ask() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	served := make(chan error)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			served <- err
			return
		}
		defer conn.Close()
		request := make([]byte, 4096)
		n, err := conn.Read(request)
		if err == nil {
			_, err = fmt.Fprintf(conn, "HTTP/1.1 204 No Content\r\n\r\n%s", request[:n])
		}
		_, _ = io.Copy(io.Discard, conn)
		served <- err
	}()
	response, err := http.Get("http://" + listener.Addr().String() + "/" + canary)
	if err != nil {
		return err
	}
	return errors.Join(response.Body.Close(), <-served)
}

func TestWhatNetHTTPSaysOfAThirdPartysAnswerIsNotWritten(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0], "-ask", "-structure", "/nowhere/structure.json")
	command.Env = append(os.Environ(), asWorker+"=1")
	out, err := command.CombinedOutput()
	if err == nil || strings.Contains(string(out), canary) || !strings.Contains(string(out), "read the structure") {
		t.Errorf("got %v, and it wrote %s", err, out)
	}
}
