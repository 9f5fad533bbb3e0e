// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package part

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/version"
)

// downloads is the variable that says "off" where nothing shall be downloaded but Go modules.
const downloads = "ORDERFLOW_DOWNLOADS"

// envtestIndex lists the releases that setup-envtest can download; probeTimeout is how long it may take to answer before
// the machine counts as one without downloads, and downloadTimeout how long an archive of 100 MB may take.
const (
	envtestIndex    = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
	probeTimeout    = 3 * time.Second
	downloadTimeout = 5 * time.Minute
)

// EnvtestAssets returns a folder with etcd, kube-apiserver and kubectl, for KUBEBUILDER_ASSETS: those in the cache, else a
// download, which takes seconds, else a build, which takes minutes.
func (s Store) EnvtestAssets(ctx context.Context) (string, error) {
	p := Kubernetes()
	folder, err := p.folder(s.Root)
	if err != nil {
		return "", err
	}
	if dir := filepath.Join(s.Cache, folder); holds(dir, EnvtestAssets()...) {
		return dir, nil
	}
	if dir, ok := s.downloaded(); ok {
		return dir, nil
	}
	if os.Getenv(downloads) != "off" && reachable(ctx, envtestIndex) {
		dir, err := s.download(ctx)
		if err == nil {
			return dir, nil
		}
		fmt.Fprintf(s.Log, "building envtest's binaries, as the download failed: %v\n", err)
	}
	return s.Obtain(ctx, p, EnvtestAssets()...)
}

// downloaded returns the folder of an earlier download, if there is one.
func (s Store) downloaded() (string, bool) {
	release := strings.TrimSuffix(anyPatch(version.Kubernetes), "x")
	dirs, _ := filepath.Glob(filepath.Join(s.Cache, "envtest", "k8s", release+"*")) // the pattern is valid
	for _, dir := range dirs {
		if holds(dir, EnvtestAssets()...) {
			return dir, true
		}
	}
	return "", false
}

// download has setup-envtest fetch the release, and returns the folder it names.
func (s Store) download(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	done := s.progress("downloading envtest's binaries " + version.Kubernetes)
	defer done()
	cmd := exec.CommandContext(ctx, "go", "run", "sigs.k8s.io/controller-runtime/tools/setup-envtest@"+version.SetupEnvtest,
		"use", anyPatch(version.Kubernetes), "--bin-dir", filepath.Join(s.Cache, "envtest"), "--print", "path")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run setup-envtest: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// reachable says whether the URL answers at all.
func reachable(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// holds says whether dir has all the named files.
func holds(dir string, names ...string) bool {
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// anyPatch turns a release, v1.37.2, into setup-envtest's words for any patch of its minor, 1.37.x: not every patch is published there.
func anyPatch(release string) string {
	release = strings.TrimPrefix(release, "v")
	return release[:strings.LastIndex(release, ".")] + ".x"
}
