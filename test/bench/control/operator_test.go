// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	_ "net/http/pprof" // on loopback, of a process that lives for a benchmark
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/orderflow-dev/orderflow/controllers/operator"
	"github.com/orderflow-dev/orderflow/controllers/topology"
)

// processVariable makes this test binary an operator or an informer: a process as JSON.
const processVariable = "ORDERFLOW_CONTROL_PROCESS"

// process is what this binary is to be.
type process struct {
	// KubeConfig is a file.
	KubeConfig string
	// Profiles is where profiles are served; empty: nowhere.
	Profiles string
	// Informers makes it fill the operator's caches, say so and end.
	Informers bool
}

// run is the process's main.
func (p process) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", p.KubeConfig)
	if err != nil {
		return err
	}
	if p.Profiles != "" {
		go func() { _ = http.ListenAndServe(p.Profiles, nil) }()
	}
	if p.Informers {
		return syncInformers(ctx, unlimited(config))
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	connector := &topology.Connector{} // without the guard of addresses: the broker is on loopback
	defer connector.Close()
	mgr, err := operator.New(unlimited(config), connector, operator.Options{
		WorkerImage: "worker:bench", Namespace: "default", MetricsAddress: "0", HealthAddress: "0", LeaderElection: true,
	}, log)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// running is a process that was started.
type running struct {
	*exec.Cmd
	stdout io.Reader
	began  time.Time
	// ended is closed when the process has ended, with err.
	ended chan struct{}
	err   error
}

func (s *server) startProcess(t *testing.T, p process) *running {
	t.Helper()
	p.KubeConfig, p.Profiles = s.kubeConfig, *profiles
	text, err := json.Marshal(p)
	must(t, err)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0]) // a test's context ends before its cleanup
	cmd.Env, cmd.Stderr = append(os.Environ(), processVariable+"="+string(text)), os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	r := &running{Cmd: cmd, stdout: stdout, began: time.Now(), ended: make(chan struct{})}
	must(t, cmd.Start())
	go func() {
		r.err = r.Wait()
		close(r.ended)
	}()
	return r
}

// startOperator runs the operator until it is stopped, or the test ends.
func (s *server) startOperator(t *testing.T) *running {
	t.Helper()
	r := s.startProcess(t, process{})
	t.Cleanup(func() { r.stop(t) })
	return r
}

// stop ends it as a kubelet would. It may be called again.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if err := r.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop the operator: %v", err)
	}
	kill := time.AfterFunc(time.Minute, func() { _ = r.Process.Kill() })
	defer kill.Stop()
	if <-r.ended; r.err != nil {
		t.Errorf("the operator ended badly: %v", r.err)
	}
}

// cpu is what the process has used; nothing, if there is none.
func (r *running) cpu(t *testing.T) time.Duration {
	t.Helper()
	if r == nil {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.Process.Pid))
	must(t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int
	for _, i := range []int{11, 12} { // utime and stime, counted from the state
		n, err := strconv.Atoi(fields[i])
		must(t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on every Linux
}

// resident is the process's memory in MiB.
func (r *running) resident(t *testing.T) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.Process.Pid))
	must(t, err)
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			n, err := strconv.Atoi(fields[1])
			must(t, err)
			return float64(n) / 1024
		}
	}
	t.Fatal("/proc does not tell how much memory the operator has")
	return 0
}
