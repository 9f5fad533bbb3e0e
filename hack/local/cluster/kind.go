// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/kind/pkg/cmd"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
)

// kindName is the cluster's name, as hack/kind.yaml spells it.
const kindName = "orderflow"

// kindReady bounds the wait for the node and for RocketMQ, whose image is pulled meanwhile.
const kindReady = 5 * time.Minute

//go:embed kind/rocketmq.yaml
var kindRocketMQ string

// kind runs the cluster in containers of a Docker daemon.
type kind struct {
	dir      string
	config   string // path of hack/kind.yaml
	provider *kindcluster.Provider
	log      io.Writer
}

func newKind(dir, root string, log io.Writer) *kind {
	return &kind{
		dir: dir, config: filepath.Join(root, "hack", "kind.yaml"), log: log,
		provider: kindcluster.NewProvider(kindcluster.ProviderWithDocker(), kindcluster.ProviderWithLogger(cmd.NewLogger())),
	}
}

func (k *kind) up(ctx context.Context) (*Env, error) {
	kubeconfig := filepath.Join(k.dir, "kubeconfig")
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the cluster's folder: %w", err)
	}
	exists, err := k.exists()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(k.dir, envFile)); exists && err != nil {
		fmt.Fprintln(k.log, "removing the kind cluster of an interrupted start")
		if err := k.provider.Delete(kindName, kubeconfig); err != nil {
			return nil, fmt.Errorf("delete the kind cluster of an interrupted start: %w", err)
		}
		exists = false
	}
	if !exists {
		err := k.provider.Create(kindName, kindcluster.CreateWithConfigFile(k.config),
			kindcluster.CreateWithKubeconfigPath(kubeconfig), kindcluster.CreateWithWaitForReady(kindReady))
		if err != nil {
			return nil, fmt.Errorf("create the kind cluster: %w", err)
		}
	}
	if err := k.provider.ExportKubeConfig(kindName, kubeconfig, false); err != nil {
		return nil, fmt.Errorf("write the kubeconfig of the kind cluster: %w", err)
	}
	node, err := k.node()
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(k.log, "starting RocketMQ in the cluster")
	manifests, err := rocketmqManifests()
	if err != nil {
		return nil, err
	}
	if err := k.kubectl(ctx, bytes.NewReader(manifests), "apply", "--filename", "-"); err != nil {
		return nil, err
	}
	for _, workload := range []string{"deployment/rocketmq-namesrv", "statefulset/rocketmq-broker"} {
		if err := k.rolledOut(ctx, workload); err != nil {
			return nil, err
		}
	}
	address, _, err := node.IP()
	if err != nil {
		return nil, fmt.Errorf("find the address of kind's node: %w", err)
	}
	return &Env{
		Way: WayKind, Kubeconfig: kubeconfig,
		NameServers:          []string{net.JoinHostPort(address, "9876")},
		NameServersInCluster: []string{NameServer},
		dir:                  k.dir,
	}, nil
}

// rocketmqManifests is RocketMQ as objects of the cluster, in the release that the rest of the project runs.
func rocketmqManifests() ([]byte, error) {
	t, err := template.New("rocketmq").Parse(kindRocketMQ)
	if err != nil {
		return nil, fmt.Errorf("parse RocketMQ's manifests: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]string{"Image": "apache/rocketmq:" + rocketmq.Version}); err != nil {
		return nil, fmt.Errorf("render RocketMQ's manifests: %w", err)
	}
	return out.Bytes(), nil
}

func (k *kind) exists() (bool, error) {
	names, err := k.provider.List()
	if err != nil {
		return false, fmt.Errorf("list kind's clusters: %w", err)
	}
	return slices.Contains(names, kindName), nil
}

// node returns the cluster's only node.
func (k *kind) node() (nodes.Node, error) {
	all, err := k.provider.ListNodes(kindName)
	if err != nil {
		return nil, fmt.Errorf("list kind's nodes: %w", err)
	}
	if len(all) == 0 {
		return nil, ErrDown
	}
	return all[0], nil
}

// kubectl runs the kubectl of kind's node, so that this machine needs none.
func (k *kind) kubectl(ctx context.Context, in io.Reader, args ...string) error {
	node, err := k.node()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	line := append([]string{"--kubeconfig=/etc/kubernetes/admin.conf"}, args...)
	command := node.CommandContext(ctx, "kubectl", line...).SetStdout(&out).SetStderr(&out)
	if in != nil {
		command = command.SetStdin(in)
	}
	if err := command.Run(); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out.Bytes())
	}
	return nil
}

func (k *kind) rolledOut(ctx context.Context, workload string) error {
	return k.kubectl(ctx, nil, "--namespace=rocketmq", "rollout", "status", "--timeout="+kindReady.String(), workload)
}

func (k *kind) load(_ context.Context, archive string) error {
	node, err := k.node()
	if err != nil {
		return err
	}
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("open the image archive: %w", err)
	}
	defer file.Close()
	return nodeutils.LoadImageArchive(node, file)
}

func (k *kind) down(context.Context) ([]string, error) {
	var removed []string
	exists, err := k.exists()
	if err != nil {
		return nil, err
	}
	if exists {
		if err := k.provider.Delete(kindName, filepath.Join(k.dir, "kubeconfig")); err != nil {
			return nil, fmt.Errorf("delete the kind cluster: %w", err)
		}
		removed = append(removed, "kind cluster "+kindName)
	}
	if _, err := os.Stat(k.dir); !errors.Is(err, fs.ErrNotExist) {
		removed = append(removed, "folder "+k.dir)
	}
	return removed, os.RemoveAll(k.dir)
}

func (k *kind) left(context.Context) ([]string, error) {
	exists, err := k.exists()
	if err != nil || !exists {
		return nil, err
	}
	return []string{"kind cluster " + kindName}, nil
}

func (k *kind) status(ctx context.Context) (lines []string, healthy bool, err error) {
	healthy = true
	for _, check := range []struct {
		name string
		args []string
	}{
		{"node", []string{"wait", "--for=condition=Ready", "--timeout=1s", "node", "--all"}},
		{"namesrv", []string{"--namespace=rocketmq", "rollout", "status", "--timeout=1s", "deployment/rocketmq-namesrv"}},
		{"broker-a", []string{"--namespace=rocketmq", "rollout", "status", "--timeout=1s", "statefulset/rocketmq-broker"}},
	} {
		state := "running"
		if err := k.kubectl(ctx, nil, check.args...); err != nil {
			state, healthy = err.Error(), false
		}
		lines = append(lines, fmt.Sprintf("%-24s %s", check.name, state))
	}
	return lines, healthy, nil
}

func (k *kind) hangBroker(ctx context.Context) error { return k.signalBroker(ctx, "STOP") }

// restartBroker takes the pod away and brings another: of one that is killed in place nobody can tell when it serves again. It is scaled down first, so that
// the kubelet does not start again what is killed.
func (k *kind) restartBroker(ctx context.Context) error {
	if err := k.scaleBroker(ctx, 0); err != nil {
		return err
	}
	_ = k.signalBroker(ctx, "KILL") // it fails when the broker ended by itself
	if err := k.kubectl(ctx, nil, "--namespace=rocketmq", "wait", "--for=delete", "--timeout=1m", "pod/rocketmq-broker-0"); err != nil {
		return err
	}
	if err := k.scaleBroker(ctx, 1); err != nil {
		return err
	}
	return k.rolledOut(ctx, "statefulset/rocketmq-broker")
}

// signalBroker signals the broker's process from the node, which sees into its pods.
func (k *kind) signalBroker(ctx context.Context, signal string) error {
	return k.onNode(ctx, "send "+signal+" to the broker", "pkill", "-"+signal, "-f", "org.apache.rocketmq.broker.BrokerStartup")
}

func (k *kind) scaleBroker(ctx context.Context, replicas int) error {
	return k.kubectl(ctx, nil, "--namespace=rocketmq", "scale", fmt.Sprintf("--replicas=%d", replicas), "statefulset/rocketmq-broker")
}

// The kubelet runs the API server for as long as its manifest lies in this folder.
const (
	manifest      = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	manifestAside = "/etc/kubernetes/kube-apiserver.yaml"
)

func (k *kind) stopAPIServer(ctx context.Context) error {
	return k.onNode(ctx, "take the API server away", "sh", "-c", "mv "+manifest+" "+manifestAside+" && while pgrep -x kube-apiserver; do sleep 1; done")
}

func (k *kind) startAPIServer(ctx context.Context) error {
	if err := k.onNode(ctx, "bring the API server back", "mv", manifestAside, manifest); err != nil {
		return err
	}
	return k.onNode(ctx, "wait for the API server", "sh", "-c", "until kubectl --kubeconfig=/etc/kubernetes/admin.conf get --raw=/readyz; do sleep 1; done")
}

// onNode runs a command on the node; ctx bounds it.
func (k *kind) onNode(ctx context.Context, what, program string, args ...string) error {
	node, err := k.node()
	if err != nil {
		return err
	}
	if err := node.CommandContext(ctx, program, args...).Run(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
