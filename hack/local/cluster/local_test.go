// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/hack/local/image"
	"github.com/orderflow-dev/orderflow/hack/local/part"
	"github.com/orderflow-dev/orderflow/hack/local/process"
)

// TestLocalCluster brings the real thing up and down on this machine, healthy and hurt. It is no part of `go test ./...`: it needs
// root, minutes, and the addresses of the one cluster that a machine can have.
func TestLocalCluster(t *testing.T) {
	if os.Getenv("ORDERFLOW_LOCAL_TEST") != "1" {
		t.Skip("set ORDERFLOW_LOCAL_TEST=1 to bring a cluster up and down on this machine")
	}
	if _, err := Current(t.Context()); !errors.Is(err, ErrDown) {
		t.Fatal("a cluster is up already: take it down first")
	}
	store, err := part.Open(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	m := Manager{Store: store, Log: t.Output()}
	before := machineState(t)
	untouched := func(t *testing.T) {
		t.Helper()
		if _, err := m.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left, err := m.Left(t.Context()); err != nil || len(left) > 0 {
			t.Fatalf("after down there is %q, error %v", left, err)
		}
		if diff := cmp.Diff(before, machineState(t)); diff != "" {
			t.Errorf("the machine differs from what it was before (-before +now):\n%s", diff)
		}
	}
	t.Cleanup(func() {
		if _, err := m.Down(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})

	t.Run("a cluster runs restricted pods that find RocketMQ and write logs", func(t *testing.T) {
		env, err := m.Up(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		runProbe(t, store, env)
	})
	t.Run("up repairs what was killed, and down removes what is left", func(t *testing.T) {
		group := process.Group{Dir: mustDir(t)}
		for _, name := range []string{"containerd", "etcd", "kubelet", "broker-a"} {
			killByName(t, group, name)
		}
		if _, healthy, err := m.Status(t.Context()); err != nil || healthy {
			t.Fatalf("status after a kill: healthy %v, error %v", healthy, err)
		}
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		if lines, healthy, err := m.Status(t.Context()); err != nil || !healthy {
			t.Fatalf("status after up: %q, error %v", lines, err)
		}
		killByName(t, group, "sandbox")
		untouched(t)
	})

	command := filepath.Join(t.TempDir(), "local")
	if err := store.Link(t.Context(), "./hack/local", command); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"starting etcd", "ready after", "starting kube-controller-manager"} {
		t.Run("down removes what an up left that was killed at \""+line+"\"", func(t *testing.T) {
			killAt(t, store.Root, line, command, "up")
			untouched(t)
		})
	}
	t.Run("up succeeds after an up that was killed, and down after a down that was", func(t *testing.T) {
		killAt(t, store.Root, "starting kube-controller-manager", command, "up")
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		down := exec.CommandContext(t.Context(), command, "down")
		down.Dir = store.Root
		if err := down.Start(); err != nil {
			t.Fatal(err)
		}
		group := process.Group{Dir: mustDir(t)}
		all, err := group.List()
		for want := len(all); err == nil && len(all) == want; all, err = group.List() {
			time.Sleep(time.Millisecond) // until it has begun to kill
		}
		if err := errors.Join(err, down.Process.Kill()); err != nil {
			t.Fatal(err)
		}
		_ = down.Wait() // killed
		untouched(t)
	})
}

// runProbe runs pods on the cluster and checks what only a real node can show.
func runProbe(t *testing.T, store part.Store, env *Env) {
	t.Helper()
	dir := t.TempDir()
	if err := store.Link(t.Context(), "./hack/local/cluster/testdata/probe", filepath.Join(dir, "probe")); err != nil {
		t.Fatal(err)
	}
	dockerfile := "FROM scratch AS probe\nCOPY probe /probe\nUSER 65532:65532\nENTRYPOINT [\"/probe\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "probe.tar")
	probe := image.Image{Name: "ghcr.io/orderflow-dev/probe:dev", File: "Dockerfile", Target: "probe", Binary: "probe"}
	if err := (image.Builder{Root: dir}).Archive(t.Context(), probe, archive); err != nil {
		t.Fatal(err)
	}
	if err := env.Load(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	kubectl(t, env, "apply", "-f", "testdata/probe.yaml")
	kubectl(t, env, "-n", "probe", "rollout", "status", "--timeout=2m", "deployment/probe")
	kubectl(t, env, "-n", "probe", "scale", "--replicas=3", "deployment/probe")
	kubectl(t, env, "-n", "probe", "rollout", "status", "--timeout=2m", "deployment/probe")

	logs := kubectl(t, env, "-n", "probe", "logs", "deployment/probe")
	for _, want := range []string{"reached " + NameServer, "reached kubernetes.default.svc.cluster.local:443"} {
		if !strings.Contains(logs, want) {
			t.Errorf("the pod's log lacks %q:\n%s", want, logs)
		}
	}
	service := kubectl(t, env, "-n", "probe", "get", "service", "probe", "-o", "jsonpath={.spec.clusterIP}")
	response, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + service + "/")
	if err != nil {
		t.Fatalf("reach the Service from this machine: %v", err)
	}
	response.Body.Close()

	careless := exec.CommandContext(t.Context(), env.Kubectl, "--kubeconfig", env.Kubeconfig, "-n", "probe", "run", "careless", "--image", probe.Name)
	if out, err := careless.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("violates PodSecurity")) {
		t.Errorf("a pod without a security context was admitted to a restricted namespace: %s", out)
	}
}

func kubectl(t *testing.T, env *Env, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), env.Kubectl, append([]string{"--kubeconfig", env.Kubeconfig}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func mustDir(t *testing.T) string {
	t.Helper()
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// killByName ends one process of the cluster without warning. Its descendants live on.
func killByName(t *testing.T, group process.Group, name string) {
	t.Helper()
	all, err := group.List()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(p process.Process) bool {
		return p.Name == name && !strings.Contains(filepath.Base(p.Exe), "shim")
	})
	if i < 0 {
		t.Fatalf("no process is called %s", name)
	}
	if err := group.Signal(all[i], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// killAt runs a command and ends it without warning when it prints the line.
func killAt(t *testing.T, dir, line string, command ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	output, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := false
	for lines := bufio.NewScanner(output); lines.Scan() && !said; {
		said = strings.HasPrefix(lines.Text(), line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, output) // until it has ended
	_ = cmd.Wait()                     // killed
	if !said {
		t.Fatalf("%v never said %q", command, line)
	}
}

// machineState describes everything of this machine that a cluster might change and leave changed.
func machineState(t *testing.T) map[string][]string {
	t.Helper()
	state := map[string][]string{}
	for name, command := range map[string]string{
		"mounts":     "cut -d' ' -f5 /proc/self/mountinfo",
		"interfaces": "ip -oneline link | cut -d: -f2",
		"addresses":  "ip -oneline address | awk '{print $2, $4}'",
		"routes":     "ip route",
		"namespaces": "ip netns; ls /run/netns 2>/dev/null || true",
		"cgroups":    "find /sys/fs/cgroup -type d -path '*orderflow*'; find /sys/fs/cgroup -type d -path '*kubepods*'",
		"iptables":   "iptables-save | grep -v '^#'; ip6tables-save | grep -v '^#'",
		"kernel":     "cd /proc/sys; grep . vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops net/ipv4/ip_forward",
		// By cgroup and by environment, as containers have only the former and everything else the latter.
		"processes": "cat /proc/[0-9]*/cgroup 2>/dev/null | grep orderflow; " +
			"cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep ^ORDERFLOW_LOCAL_GROUP; true",
		"files": "ls -d /run/containerd /run/runc /run/netns /run/flannel /var/lib/kubelet /var/lib/cni /var/lib/containerd /var/lib/containers " +
			"/var/log/pods /var/log/containers /etc/kubernetes 2>/dev/null || true",
		"temporary": "ls /tmp /var/tmp | grep -E 'orderflow-image|containerd|ctd-|buildah|container_images|storage' || true",
	} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
		if err != nil && name != "iptables" {
			t.Fatalf("describe %s: %v", name, err)
		}
		state[name] = slices.Sorted(slices.Values(strings.Split(strings.TrimSpace(string(out)), "\n")))
	}
	return state
}
