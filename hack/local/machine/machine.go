// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package machine checks that this machine can run the local cluster, and installs what is missing where it can.
//
// What is needed is a table. On Debian and its descendants, as root, missing programs are installed with apt; everywhere else
// the answer is a sentence with the names of the packages, as a person would look them up.
package machine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/process"
)

// dockerTimeout bounds the question whether a Docker daemon answers.
const dockerTimeout = 10 * time.Second

// minMemoryMiB is what must be available: the cluster and RocketMQ take about 2 GiB, pods come on top.
const minMemoryMiB = 2500

// Need is a program that the local environment runs and does not build.
type Need struct {
	Paths   []string // where it may be: names to look up on the PATH, or absolute paths
	Package string   // Debian's package
}

// Node is what a node needs of its machine.
func Node() []Need {
	return []Need{
		{Paths: []string{"nsenter"}, Package: "util-linux"},
		{Paths: []string{"ip"}, Package: "iproute2"},
		{Paths: []string{"runc"}, Package: "runc"},
		{Paths: []string{"/usr/lib/cni/bridge", "/usr/libexec/cni/bridge", "/opt/cni/bin/bridge"}, Package: "containernetworking-plugins"},
		{Paths: []string{"iptables"}, Package: "iptables"},
	}
}

// Image is what building an image without a Docker daemon needs.
func Image() []Need { return []Need{{Paths: []string{"buildah"}, Package: "buildah"}} }

// RocketMQ is what fetching and running RocketMQ needs, and compiling its Java clients.
func RocketMQ() []Need {
	return []Need{
		{Paths: []string{filepath.Join(os.Getenv("JAVA_HOME"), "bin", "javac"), "javac"}, Package: "default-jdk-headless"},
		{Paths: []string{"mvn"}, Package: "maven"},
	}
}

// Race is what tests with the race detector are compiled with.
func Race() []Need {
	return []Need{
		{Paths: []string{"gcc", "cc"}, Package: "gcc"},
		{Paths: []string{"/usr/include/stdlib.h"}, Package: "libc6-dev"},
	}
}

// Docker says whether a Docker daemon answers. That the command is there does not mean that one does.
func Docker(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	version, err := exec.CommandContext(ctx, "docker", "info", "--format", "{{.ServerVersion}}").Output()
	return err == nil && len(bytes.TrimSpace(version)) > 0
}

// Provide returns when every need is met, and installs what is not where that is possible. The error lists what is missing.
func Provide(ctx context.Context, log io.Writer, needs ...Need) error {
	missing := lacking(needs, present)
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("not installed: %s (these are Debian's package names): install them, or on Debian run this as root, "+
			"which installs them", strings.Join(missing, " "))
	}
	fmt.Fprintf(log, "installing %s\n", strings.Join(missing, " "))
	if err := apt(ctx, append([]string{"install", "--yes", "--no-install-recommends"}, missing...)...); err == nil {
		return nil
	}
	// The usual reason is that the package lists are old or were never fetched.
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	return apt(ctx, append([]string{"install", "--yes", "--no-install-recommends"}, missing...)...)
}

func apt(ctx context.Context, args ...string) error {
	// Someone else's apt is waited for, up to two minutes.
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet=2", "--option=DPkg::Lock::Timeout=120"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return process.Run(cmd)
}

// lacking returns the packages of the needs that are met by nothing.
func lacking(needs []Need, present func(path string) bool) []string {
	var missing []string
	for _, need := range needs {
		if !slices.ContainsFunc(need.Paths, present) {
			missing = append(missing, need.Package)
		}
	}
	return missing
}

func present(path string) bool {
	if filepath.IsAbs(path) {
		_, err := os.Stat(path)
		return err == nil
	}
	_, err := exec.LookPath(path)
	return err == nil
}

// Fit fails with a sentence when this process or this machine cannot run a node.
func Fit() error {
	if runtime.GOOS != "linux" {
		return errors.New("a node needs Linux: start a Docker daemon, with which this works on any system")
	}
	if os.Geteuid() != 0 {
		return errors.New("a node makes namespaces and mounts, which needs root: run this as root, or start a Docker daemon, " +
			"with which root is not needed")
	}
	meminfo, err := os.Open("/proc/meminfo")
	if err != nil {
		return fmt.Errorf("measure the machine's memory: %w", err)
	}
	defer meminfo.Close()
	available, err := availableMiB(meminfo)
	if err != nil {
		return err
	}
	if available < minMemoryMiB {
		return fmt.Errorf("%d MiB of memory are available, and the cluster with RocketMQ needs %d: end something else first",
			available, minMemoryMiB)
	}
	return nil
}

// availableMiB reads what /proc/meminfo says can be used without swapping.
func availableMiB(meminfo io.Reader) (int, error) {
	lines := bufio.NewScanner(meminfo)
	for lines.Scan() {
		value, ok := strings.CutPrefix(lines.Text(), "MemAvailable:")
		if !ok {
			continue
		}
		kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(value, "kB")))
		if err != nil {
			return 0, fmt.Errorf("read the machine's memory: %w", err)
		}
		return kib / 1024, nil
	}
	return 0, errors.New("read the machine's memory: /proc/meminfo has no MemAvailable")
}
