// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package part

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"

	"github.com/orderflow-dev/orderflow/hack/local/version"
)

func TestModulesRequireTheReleasesOfPackageVersion(t *testing.T) {
	root, err := checkout()
	if err != nil {
		t.Fatal(err)
	}
	for module, requirements := range map[string]map[string]string{
		"hack/kube":       {"k8s.io/kubernetes": version.Kubernetes, "go.etcd.io/etcd/server/v3": version.Etcd},
		"hack/containerd": {"github.com/containerd/containerd/v2": version.Containerd},
		"hack/coredns":    {"github.com/coredns/coredns": version.CoreDNS},
	} {
		file := parseModule(t, filepath.Join(root, module, "go.mod"))
		got := map[string]string{}
		for _, r := range file.Require {
			if _, asked := requirements[r.Mod.Path]; asked {
				got[r.Mod.Path] = r.Mod.Version
			}
		}
		if diff := cmp.Diff(requirements, got); diff != "" {
			t.Errorf("%s/go.mod differs from package version (-version +go.mod):\n%s", module, diff)
		}
	}
}

func TestEveryBinaryIsAToolOfItsModule(t *testing.T) {
	root, err := checkout()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Part{Kubernetes(), Containerd(), CoreDNS()} {
		tools := map[string]bool{}
		for _, tool := range parseModule(t, filepath.Join(root, p.Module, "go.mod")).Tool {
			tools[tool.Path] = true
		}
		for _, b := range p.Binaries {
			if !tools[b.Package] {
				t.Errorf("%s/go.mod has no tool line for %s, so `go mod tidy` would drop what it needs", p.Module, b.Package)
			}
		}
	}
}

func TestStagingModulesHaveKubernetesRelease(t *testing.T) {
	root, err := checkout()
	if err != nil {
		t.Fatal(err)
	}
	want := "v0." + strings.TrimPrefix(version.Kubernetes, "v1.")
	file := parseModule(t, filepath.Join(root, "hack", "kube", "go.mod"))
	if len(file.Replace) == 0 {
		t.Error("hack/kube/go.mod replaces nothing, and k8s.io/kubernetes requires its staging modules at v0.0.0")
	}
	for _, r := range file.Replace {
		if r.New.Path != r.Old.Path || r.New.Version != want {
			t.Errorf("%s is replaced by %s, want the same module at %s", r.Old.Path, r.New, want)
		}
	}
}

func parseModule(t *testing.T, path string) *modfile.File {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// project is a checkout with one part, whose program is the given source.
func project(t *testing.T, source string) (Store, Part, *record) {
	t.Helper()
	log := &record{}
	store := Store{Root: t.TempDir(), Cache: t.TempDir(), Log: log}
	for name, content := range map[string]string{
		"go.mod": "module example.org/part\n\ngo 1.26\n", "go.sum": "", "hello/main.go": source,
	} {
		path := filepath.Join(store.Root, "tool", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := Part{Name: "part", Version: "v1", Module: "tool", Binaries: []Binary{{Name: "hello", Package: "example.org/part/hello"}}}
	return store, p, log
}

// record is a log that several builders may write to.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), what)
}

func TestConcurrentCallersShareOneBuild(t *testing.T) {
	store, p, log := project(t, "package main\n\nfunc main() {}\n")
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			dir, err := store.Obtain(t.Context(), p)
			if err != nil {
				t.Error(err)
				return
			}
			if !holds(dir, "hello") {
				t.Errorf("%s lacks the binary although Obtain returned", dir)
			}
		})
	}
	callers.Wait()
	if got := log.count("took"); got != 1 {
		t.Errorf("%d builds, want 1:\n%s", got, log.text.String())
	}
}

func TestAFailedBuildSaysWhyAndLeavesNoBinary(t *testing.T) {
	store, p, _ := project(t, "package main\n\nfunc main() { nonsense() }\n")
	_, err := store.Obtain(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "undefined: nonsense") {
		t.Fatalf("error %v, want the compiler's words", err)
	}
	folder, err := p.folder(store.Root)
	if err != nil {
		t.Fatal(err)
	}
	if holds(filepath.Join(store.Cache, folder), "hello") {
		t.Error("a binary is in the cache although its build failed")
	}
}

func TestAnInterruptedBuildIsNotTakenForAFinishedOne(t *testing.T) {
	store, p, _ := project(t, "package main\n\nfunc main() {}\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Obtain(ctx, p); err == nil {
		t.Fatal("a build whose context has ended succeeded")
	}
	dir, err := store.Obtain(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if !holds(dir, "hello") {
		t.Error("the second build left no binary")
	}
}

func TestTheFolderChangesWithWhateverChangesTheBinaries(t *testing.T) {
	store, p, _ := project(t, "")
	original, err := p.folder(store.Root)
	if err != nil {
		t.Fatal(err)
	}
	tagged, flagged := p, p
	tagged.Tags, flagged.LDFlags = "no_zfs", "-s"
	for what, other := range map[string]Part{"tags": tagged, "linker flags": flagged} {
		if folder, err := other.folder(store.Root); err != nil || folder == original {
			t.Errorf("other %s have the same folder %s, error %v", what, folder, err)
		}
	}
	if err := os.WriteFile(filepath.Join(store.Root, "tool", "go.sum"), []byte("another dependency"), 0o600); err != nil {
		t.Fatal(err)
	}
	if folder, err := p.folder(store.Root); err != nil || folder == original {
		t.Errorf("other dependencies have the same folder %s, error %v", folder, err)
	}
}
