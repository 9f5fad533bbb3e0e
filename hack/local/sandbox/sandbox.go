// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/process"
)

//go:embed inside.sh
var inside string

// knobs are the settings of the whole machine that a kubelet changes, below /proc/sys.
const knobs = "vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops " +
	"kernel/keys/root_maxkeys kernel/keys/root_maxbytes"

// destroyTimeout bounds how long the kernel may take to end what was killed.
const destroyTimeout = time.Minute

// Sandbox is the place where the local cluster's processes run.
type Sandbox struct {
	// Dir is the cluster's folder, absolute, and visible inside under the same path: not below /run, /var/lib or /var/log.
	Dir string
	// Pause is the first process's program. Only Create needs it.
	Pause string
}

// firstName is the name of the process whose namespaces the sandbox consists of.
const firstName = "sandbox"

// Current returns the group of processes inside a complete sandbox, or ok = false when there is none.
func (s Sandbox) Current() (group process.Group, ok bool, err error) {
	group = process.Group{Dir: s.Dir}
	first, running, err := group.Find(process.Spec{Name: firstName, Path: "pause"})
	if err != nil || !running {
		return group, false, err
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/run/complete", first.PID)); err != nil {
		return group, false, nil //nolint:nilerr // an interrupted Create
	}
	group.Enter = enter(first.PID)
	return group, true, nil
}

// enter is the command line that runs a command inside the namespaces of a process.
func enter(pid int) []string {
	return []string{"nsenter", "--target", strconv.Itoa(pid), "--mount", "--net", "--ipc", "--pid", "--"}
}

// Create returns the group of processes that run inside the sandbox, which it makes if there is none. What an interrupted
// call left has to be removed first, with Destroy.
func (s Sandbox) Create(ctx context.Context) (process.Group, error) {
	group, ok, err := s.Current()
	if err != nil || ok {
		return group, err
	}
	if err := s.prepare(); err != nil {
		return group, err
	}
	first, err := s.spawn()
	if err != nil {
		return group, err
	}
	group.Enter = enter(first)
	for _, line := range outside(first) {
		if err := process.Run(exec.CommandContext(ctx, line[0], line[1:]...)); err != nil {
			return group, err
		}
	}
	cmd := group.Command(ctx, "sh")
	cmd.Stdin = strings.NewReader(inside)
	cmd.Env = append(os.Environ(), "HOST="+Host, "NODE="+Node, "BROKER="+Broker, "KNOBS="+knobs)
	return group, process.Run(cmd)
}

// outside are the commands that join this machine with the sandbox of the first process.
func outside(first int) [][]string {
	return [][]string{
		{"ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(first)},
		{"ip", "address", "add", Host + "/24", "dev", link},
		{"ip", "link", "set", link, "up"},
		{"ip", "route", "add", Pods, "via", Node},
		{"ip", "route", "add", Services, "via", Node},
	}
}

// prepare checks that there is room for the sandbox and makes what it needs of this machine.
func (s Sandbox) prepare() error {
	for _, hidden := range []string{"/run/", "/var/run/", "/var/lib/", "/var/log/"} {
		if strings.HasPrefix(s.Dir+"/", hidden) {
			return fmt.Errorf("the cluster's folder %s lies below %s, which the sandbox covers: set XDG_CACHE_HOME to another place", s.Dir, hidden)
		}
	}
	if exists(linkPath) {
		return fmt.Errorf("interface %s exists: another user's cluster is up, or the folder of one was removed by hand; "+
			"take it down as that user, or remove it with `ip link delete %s`", link, link)
	}
	addresses, err := machineNetworks()
	if err != nil {
		return err
	}
	if err := clash(addresses); err != nil {
		return err
	}
	return makeCgroups()
}

// Destroy removes the sandbox and everything that belongs to it, whatever state it is in, and returns what it removed, in
// words. What cannot be removed is an error; the rest is removed all the same.
func (s Sandbox) Destroy(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, destroyTimeout)
	defer cancel()
	var removed []string
	killed, err := process.Group{Dir: s.Dir}.KillAll(ctx)
	if len(killed) > 0 {
		removed = append(removed, fmt.Sprintf("%d processes, and with them their namespaces: mounts, bridge, veths, iptables rules", len(killed)))
	}
	failures := []error{err}
	if exists(linkPath) {
		failures = append(failures, unlink(ctx))
		removed = append(removed, "interface "+link+" and its routes")
	}
	cgroups, err := removeCgroups(ctx)
	failures = append(failures, err)
	if cgroups > 0 {
		removed = append(removed, fmt.Sprintf("%d cgroups", cgroups))
	}
	// Never while something lives in there: its mounts would be emptied through.
	if errors.Join(failures...) == nil && exists(s.Dir) {
		failures = append(failures, os.RemoveAll(s.Dir))
		removed = append(removed, "folder "+s.Dir)
	}
	return removed, errors.Join(failures...)
}

// Left lists, in words, everything of a sandbox that is on this machine. Nothing, after Destroy.
func (s Sandbox) Left() ([]string, error) {
	var left []string
	processes, err := process.Group{Dir: s.Dir}.List()
	if err != nil {
		return nil, err
	}
	for _, p := range processes {
		left = append(left, "process "+p.String())
	}
	cgroups, err := listCgroups()
	if err != nil {
		return nil, err
	}
	for _, path := range cgroups {
		left = append(left, "cgroup "+path)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[4], s.Dir+"/") {
			left = append(left, "mount "+fields[4])
		}
	}
	for _, path := range []string{linkPath, s.Dir} {
		if exists(path) {
			left = append(left, path)
		}
	}
	return left, nil
}

// linkPath exists while our end of the veth pair does.
const linkPath = "/sys/class/net/" + link

// unlink removes the veth pair and returns once it is gone. The kernel may be about to do it, as one end was in a namespace
// that ended; then that counts as success.
func unlink(ctx context.Context) error {
	if !exists(linkPath) {
		return nil
	}
	if err := process.Run(exec.CommandContext(ctx, "ip", "link", "delete", link)); err != nil && exists(linkPath) {
		return err
	}
	return nil
}

// machineNetworks returns the networks that each interface of this machine is on.
func machineNetworks() (map[string][]netip.Prefix, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	networks := map[string][]netip.Prefix{}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			continue // it has gone meanwhile
		}
		for _, address := range addresses {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil {
				networks[i.Name] = append(networks[i.Name], prefix.Masked())
			}
		}
	}
	return networks, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
