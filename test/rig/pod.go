// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/certificate/certificatetest"
	"github.com/orderflow-dev/orderflow/internal/port"
)

const (
	adapter  = "sms"
	provider = "sms"
	action   = "send"
	handler  = "push"
)

// Pod is a worker process as a pod would run it.
type Pod struct {
	// Name is its instance, the same after every start.
	Name string
	// Binary is what runs; the lab's by default.
	Binary string
	// Roots is a file of certificates that it trusts.
	Roots string
	// Cores are those it runs on; none says all.
	Cores unix.CPUSet
	// Hosts is a file that it has in place of /etc/hosts; it is read again when it changes.
	Hosts string
	// Jumps are moments, from now on, at which the clock of a sick worker jumps, and by how much it is wrong from then on.
	Jumps []Jump

	t      testing.TB
	dir    string
	health string

	mu    sync.Mutex
	child *child
}

// Jump is one of a wall clock.
type Jump struct{ After, Wrong time.Duration }

// child is one life of a pod.
type child struct {
	process *os.Process
	done    chan struct{}
}

// Declared are a worker's structure and limits for the flow, whose one step calls the party; for who wants to change them.
func (f *Flow) Declared(party string) (worker.Structure, worker.Live) {
	structure := worker.Structure{
		Version: worker.Version, Namespace: "rig", Name: "push", NameServers: []string{f.NameServer()}, Group: f.Group, Topic: f.Topic, TagExpression: "*",
		Mode: worker.ModePush, MaxUncommitted: 256, Concurrency: 20, TerminationGrace: worker.Duration(30 * time.Second),
		Retry:   worker.Retry{MaxAttempts: 16, MaxDuration: worker.Duration(24 * time.Hour)},
		Handler: worker.Handler{Type: worker.HandlerPush, Push: &worker.PushHandler{Adapter: adapter, Path: "/" + provider + "/" + action, TemplateID: "t", ToExpression: "order.phone"}},
		Adapters: []worker.Adapter{{
			Name: adapter, URL: party, SuccessExpression: "response.body.code == 'OK'",
			Idempotency: worker.Idempotency{KeysHonoured: true, Header: "Idempotency-Key", Window: worker.Duration(24 * time.Hour)},
		}},
		PrivateNetworks: []string{f.Address + "/32"},
	}
	return structure, worker.Live{Version: worker.Version, Revision: "r1", Adapters: []worker.AdapterLimits{{
		Name: adapter, Timeout: worker.Duration(2 * time.Second), RequestAttempts: 1, RetryDelay: worker.Duration(100 * time.Millisecond),
		Breaker: worker.Breaker{FailurePercentage: 50, MinimumRequests: 10, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(time.Second)},
	}}}
}

// NewPod writes the files of a pod that does not run yet.
func NewPod(t testing.TB, l *Lab, name string, s worker.Structure, live worker.Live) *Pod {
	t.Helper()
	p := &Pod{Name: name, Binary: l.Worker, t: t, dir: t.TempDir()}
	certificate, key := certificatetest.NewAuthority(t).Issue(t, worker.SyncServerName(s.Namespace, s.Name), time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	for path, content := range map[string]any{
		"structure.json": s, "live.json": live, "sync/token": []byte("token"), "sync/tls.crt": []byte(certificate), "sync/tls.key": []byte(key),
	} {
		data, raw := content.([]byte)
		if !raw {
			var err error
			data, err = json.Marshal(content)
			must(t, err)
		}
		file := filepath.Join(p.dir, path)
		must(t, os.MkdirAll(filepath.Dir(file), 0o700))
		must(t, os.WriteFile(file, data, 0o600))
	}
	t.Cleanup(p.Kill)
	return p
}

// Start starts it and returns when it is ready.
func (p *Pod) Start() {
	p.t.Helper()
	p.Launch()
	if !Await(p.t.Context(), patience, p.ready) {
		p.t.Fatalf("pod %s is not ready after %v; it said:\n%s", p.Name, patience, p.tail())
	}
}

// Launch starts it.
func (p *Pod) Launch() {
	p.t.Helper()
	p.health = port.Free(p.t)
	at := func(name string) string { return filepath.Join(p.dir, name) }
	line := []string{p.Binary, "-structure", at("structure.json"), "-live", at("live.json"), "-sync-dir", at("sync"), "-broker-dir", at("broker"),
		"-adapter-dir", at("adapters"), "-journal", at("in-flight"), "-sync-address", port.Free(p.t), "-health-address", p.health, "-instance", p.Name}
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if p.Hosts != "" {
		line = append([]string{"sh", "-c", "mount --bind " + p.Hosts + ` /etc/hosts && exec "$0" "$@"`}, line...)
		attributes.Unshareflags = syscall.CLONE_NEWNS
	}
	log, err := os.OpenFile(at("log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	must(p.t, err)
	defer log.Close()
	cmd := exec.Command(line[0], line[1:]...) // it ends by Stop or Kill, whatever ends the test
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, attributes
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+p.Roots, clockVariable+"="+p.jumps())
	c := &child{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel ties the child to the thread that forked it
		defer runtime.UnlockOSThread()
		err := startOn(p.Cores, cmd)
		c.process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait() // the end is what counts
			close(c.done)
		}
	}()
	must(p.t, <-started)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.child = c
}

// startOn starts a command that counts and uses these cores, all if there are none. The thread is the caller's alone.
func startOn(cores unix.CPUSet, cmd *exec.Cmd) error {
	if cores.Count() == 0 {
		return cmd.Start()
	}
	var all unix.CPUSet // a process begins on the cores of the thread that forked it
	if err := errors.Join(unix.SchedGetaffinity(0, &all), unix.SchedSetaffinity(0, &cores)); err != nil {
		return err
	}
	err := cmd.Start()
	return errors.Join(err, unix.SchedSetaffinity(0, &all))
}

// jumps are moments of the monotonic clock in seconds, each with by how many seconds the wall clock is wrong.
func (p *Pod) jumps() string {
	var now unix.Timespec
	must(p.t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	var text []string
	for _, j := range p.Jumps {
		text = append(text, fmt.Sprint(now.Sec+int64(j.After.Seconds()), " ", int64(j.Wrong.Seconds())))
	}
	return strings.Join(text, " ")
}

// Supervise starts it again, as the kubelet does, whenever it has ended, until stop.
func (p *Pod) Supervise() (stop func()) {
	ctx, cancel := context.WithCancel(p.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			if !p.Alive() {
				p.Launch()
			}
			Wait(ctx, 200*time.Millisecond)
		}
	})
	return sync.OnceFunc(func() { cancel(); done.Wait() })
}

// Stop ends it as the kubelet does, and returns when it has ended.
func (p *Pod) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	if c := p.current(); c != nil && !ended(p.t.Context(), c, patience) {
		p.t.Errorf("pod %s did not end in %v; it said:\n%s", p.Name, patience, p.tail())
	}
}

// Kill ends it without warning.
func (p *Pod) Kill() {
	p.Signal(syscall.SIGKILL)
	if c := p.current(); c != nil {
		ended(context.Background(), c, patience)
	}
}

// Signal sends it a signal: SIGSTOP freezes it, SIGCONT wakes it. One that has ended gets none.
func (p *Pod) Signal(s syscall.Signal) {
	if c := p.current(); c != nil {
		_ = c.process.Signal(s) // that it has ended is known by done
	}
}

// Alive reports whether it runs.
func (p *Pod) Alive() bool {
	c := p.current()
	if c == nil {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// PID is its process's id.
func (p *Pod) PID() int { return p.current().process.Pid }

// CPU is the time it has used.
func (p *Pod) CPU() time.Duration { return CPU(p.t, p.PID()) }

// Resident is its memory in bytes.
func (p *Pod) Resident() int64 { return Resident(p.t, p.PID()) }

func (p *Pod) current() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.child
}

func ended(ctx context.Context, c *child, within time.Duration) bool {
	return Await(ctx, within, func() bool {
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
}

func (p *Pod) ready() bool {
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.health+"/readyz", nil)
	must(p.t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// Log is what it said so far.
func (p *Pod) Log() string {
	text, err := os.ReadFile(filepath.Join(p.dir, "log"))
	must(p.t, err)
	return string(text)
}

func (p *Pod) tail() string {
	text := p.Log()
	return text[max(0, len(text)-2000):]
}
