// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/hack/local/process"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// TestPlanIsWhatWasReviewed compares everything that a cluster consists of with the text of it in testdata, so that a change
// of a flag or a file shows as such in a review.
func TestPlanIsWhatWasReviewed(t *testing.T) {
	plan := newPlan(t)
	var got bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(plan.Files)) {
		fmt.Fprintf(&got, "=== file %s\n%s\n", name, plan.Files[name])
	}
	for _, stage := range []struct {
		name  string
		specs []process.Spec
	}{{"core", plan.Core}, {"rest", plan.Rest}} {
		for _, spec := range stage.specs {
			fmt.Fprintf(&got, "=== %s %s\n%s\n  %s\n\n", stage.name, spec.Name, spec.Path, strings.Join(spec.Args, "\n  "))
		}
	}
	fmt.Fprintf(&got, "=== manifests\n%s", plan.Manifests)

	golden := filepath.Join("testdata", "plan.golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the plan differs from %s (-golden +plan); if that is wanted, run this test with -update:\n%s", golden, diff)
	}
}

func newPlan(t *testing.T) Plan {
	t.Helper()
	plan, err := NewPlan(Layout{
		Dir: "/cluster", Kubernetes: "/cache/kubernetes", Containerd: "/cache/containerd", CoreDNS: "/cache/coredns",
		PauseImage: "example.org/pause:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestEveryKubeconfigThatAProgramReadsIsMade(t *testing.T) {
	plan := newPlan(t)
	made := kubeconfigs()
	var read []string
	collect := func(text string) {
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" =\n{}\"", r) }) {
			if strings.HasPrefix(word, "/cluster/") && strings.HasSuffix(word, ".kubeconfig") {
				read = append(read, filepath.Base(word))
			}
		}
	}
	for _, spec := range slices.Concat(plan.Core, plan.Rest) {
		collect(strings.Join(spec.Args, "\n"))
	}
	for _, content := range plan.Files {
		collect(string(content))
	}
	if len(read) != len(made)-1 { // a person reads the admin's
		t.Errorf("programs read %q, made are %q", read, slices.Sorted(maps.Keys(made)))
	}
	for _, name := range read {
		if _, ok := made[name]; !ok {
			t.Errorf("a program reads %s, which nobody makes", name)
		}
	}
}
