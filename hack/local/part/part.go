// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package part

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/orderflow-dev/orderflow/hack/local/version"
)

// Part is a module of the project and the programs that are built from it.
type Part struct {
	Name     string   // of the cache folder's first half
	Version  string   // of the module that gives the part its name
	Module   string   // folder of the go.mod, relative to the project's root
	Tags     string   // build tags, space separated
	LDFlags  string   // linker flags
	Binaries []Binary // everything that can be obtained
}

// Binary is one program of a part.
type Binary struct {
	Name    string // of the file
	Package string // import path
}

// EnvtestAssets names the binaries of Kubernetes() that envtest looks for in KUBEBUILDER_ASSETS.
func EnvtestAssets() []string { return []string{"etcd", "kube-apiserver", "kubectl"} }

// Kubernetes is etcd and everything from k8s.io/kubernetes that a cluster of one node runs.
func Kubernetes() Part {
	const stamp = " -X k8s.io/component-base/version."
	major, minor, _ := strings.Cut(strings.TrimPrefix(version.Kubernetes, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	p := Part{
		Name:    "kubernetes",
		Version: version.Kubernetes,
		Module:  "hack/kube",
		// A control plane that does not know its version says v0.0.0 and refuses newer kubelets.
		LDFlags: "-s -w" + stamp + "gitVersion=" + version.Kubernetes +
			stamp + "gitMajor=" + major + stamp + "gitMinor=" + minor,
		Binaries: []Binary{{Name: "etcd", Package: "go.etcd.io/etcd/server/v3"}},
	}
	for _, name := range []string{
		"kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
	} {
		p.Binaries = append(p.Binaries, Binary{Name: name, Package: "k8s.io/kubernetes/cmd/" + name})
	}
	return p
}

// Containerd is containerd, its shim and its client. Its snapshotters for file systems that need C libraries are left out.
func Containerd() Part {
	p := Part{
		Name: "containerd", Version: version.Containerd, Module: "hack/containerd",
		Tags: "no_btrfs no_zfs no_devmapper", LDFlags: "-s -w",
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		p.Binaries = append(p.Binaries, Binary{Name: name, Package: "github.com/containerd/containerd/v2/cmd/" + name})
	}
	return p
}

// CoreDNS answers for Service names.
func CoreDNS() Part {
	return Part{
		Name: "coredns", Version: version.CoreDNS, Module: "hack/coredns", LDFlags: "-s -w",
		Binaries: []Binary{{Name: "coredns", Package: "github.com/coredns/coredns"}},
	}
}

// folder is the name of the part's cache folder: everything that decides what its binaries are.
func (p Part) folder(root string) (string, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, runtime.GOOS, runtime.GOARCH, p.Tags, p.LDFlags)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, p.Module, name))
		if err != nil {
			return "", fmt.Errorf("read the module of %s: %w", p.Name, err)
		}
		digest.Write(content)
	}
	return fmt.Sprintf("%s-%s-%s", p.Name, p.Version, hex.EncodeToString(digest.Sum(nil))[:8]), nil
}

// binary finds a binary by name.
func (p Part) binary(name string) (Binary, error) {
	for _, b := range p.Binaries {
		if b.Name == name {
			return b, nil
		}
	}
	return Binary{}, fmt.Errorf("%s has no binary %q", p.Name, name)
}
