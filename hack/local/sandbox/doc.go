// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sandbox gives the local cluster a place of its own on this machine, which goes away as a whole.
//
// # How it works
//
// A first process (hack/local/pause) runs in pid, mount, network and IPC namespaces of its own; everything else of the cluster
// is entered into them. What a node does to its machine it therefore does to the sandbox: kube-proxy's iptables rules, the CNI
// bridge and its veths, overlay and tmpfs mounts, shims that no longer have a parent, sockets in /run, the kernel settings that
// a kubelet insists on. All of it ends when the first process does, because that is what the kernel promises for
// namespaces: not because a clean-up remembered each piece.
//
// One veth pair joins the sandbox with the machine:
//
//	this machine  Host ── orderflow0 ═══ eth0 ── Node, Broker   the sandbox, which forwards to Pods and Services
//
// so from here every pod and every Service address can be reached, and pods reach this machine at Host. Nothing leads
// further out: pods have no way to the internet.
//
// # Invariants
//
//   - A sandbox is complete once it says so itself (/run/complete, on its own tmpfs); Current knows no other.
//   - Outside of the sandbox there are only: marked processes (package process), the cgroups below /orderflow, the veth
//     with its routes, and the cluster's folder. Destroy removes these four; Left lists what there is of them.
//
// # Limits
//
// Needs root. One sandbox per machine, as its addresses are fixed. It was run with cgroup v1; what cgroup v2 needs
// beyond it, the kubelet's controllers at the root, is written from the kernel's and the kubelet's documentation and was not run.
package sandbox
