// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/orderflow-dev/orderflow/hack/local/part"
)

// ErrDown says that no cluster is up.
var ErrDown = errors.New("no local cluster is up: run `make up`")

// NameServer is where pods find RocketMQ, on either way.
const NameServer = "rocketmq-namesrv.rocketmq.svc.cluster.local:9876"

// The two ways to a cluster.
const (
	WayKind  = "kind"
	WayLocal = "local"
)

// Env is what Up made, as its users see it.
type Env struct {
	Way                  string   `json:"way"`                  // WayKind or WayLocal
	Kubeconfig           string   `json:"kubeconfig"`           // path of the file, of a cluster-admin
	NameServers          []string `json:"nameServers"`          // host:port, for programs on this machine
	NameServersInCluster []string `json:"nameServersInCluster"` // host:port, for pods
	Kubectl              string   `json:"kubectl"`              // path of a kubectl of the cluster's version, "" if the PATH has to have one

	dir string
}

const envFile = "env.json"

// Dir returns the folder of the user's cluster, whether one is up or not.
func Dir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w", err)
	}
	return filepath.Join(cache, "orderflow", "cluster"), nil
}

// Current returns the cluster that is up, or ErrDown. It does not ask whether every part of it still runs: Status does.
func Current(context.Context) (*Env, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(dir, envFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrDown
	}
	if err != nil {
		return nil, fmt.Errorf("read what cluster is up: %w", err)
	}
	env := &Env{dir: dir}
	if err := json.Unmarshal(content, env); err != nil {
		return nil, fmt.Errorf("read what cluster is up from %s: %w", envFile, err)
	}
	return env, nil
}

// save makes the cluster the current one.
func (e Env) save() error {
	content, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("encode what cluster is up: %w", err)
	}
	if err := os.WriteFile(filepath.Join(e.dir, envFile), append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write what cluster is up: %w", err)
	}
	return nil
}

// way returns the way that the cluster was made in, with nobody to hear of progress.
func (e *Env) way() (way, error) {
	store, err := part.Open(io.Discard)
	if err != nil {
		return nil, err
	}
	return Manager{Store: store, Log: io.Discard}.way(e.Way)
}

// HangBroker stops RocketMQ's broker as the death of its machine does: connections stay open, and nobody answers.
func (e *Env) HangBroker(ctx context.Context) error {
	way, err := e.way()
	if err != nil {
		return err
	}
	return way.hangBroker(ctx)
}

// RestartBroker kills the broker, if it still runs or hangs, starts it again with its store, and returns when it serves.
func (e *Env) RestartBroker(ctx context.Context) error {
	way, err := e.way()
	if err != nil {
		return err
	}
	return way.restartBroker(ctx)
}

// StopAPIServer kills Kubernetes' API server: every watch ends, and nobody answers until StartAPIServer. Pods run on.
func (e *Env) StopAPIServer(ctx context.Context) error {
	way, err := e.way()
	if err != nil {
		return err
	}
	return way.stopAPIServer(ctx)
}

// StartAPIServer starts it again, with all it had stored, and returns when it serves.
func (e *Env) StartAPIServer(ctx context.Context) error {
	way, err := e.way()
	if err != nil {
		return err
	}
	return way.startAPIServer(ctx)
}

// Load puts the images of an archive, as Docker or buildah write it, onto the node.
func (e *Env) Load(ctx context.Context, archive string) error {
	way, err := e.way()
	if err != nil {
		return err
	}
	return way.load(ctx, archive)
}
