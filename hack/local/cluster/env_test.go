// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCurrentIsWhatWasSaved(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if _, err := Current(t.Context()); !errors.Is(err, ErrDown) {
		t.Fatalf("error %v before anything was up, want ErrDown", err)
	}
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	want := &Env{
		Way: WayLocal, Kubeconfig: "/cluster/kubeconfig", Kubectl: "/cache/kubectl",
		NameServers: []string{"10.0.0.3:9876"}, NameServersInCluster: []string{NameServer}, dir: dir,
	}
	if err := want.save(); err != nil {
		t.Fatal(err)
	}
	got, err := Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Env{})); diff != "" {
		t.Errorf("(-saved +current):\n%s", diff)
	}
}
