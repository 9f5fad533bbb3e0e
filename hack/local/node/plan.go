// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"embed"
	"fmt"
	"path/filepath"
	"text/template"

	"github.com/orderflow-dev/orderflow/hack/local/process"
	"github.com/orderflow-dev/orderflow/hack/local/sandbox"
)

// Name is the node's name.
const Name = "node1"

// APIServer is the name of the API server among the plan's processes.
const APIServer = "kube-apiserver"

//go:embed template
var templates embed.FS

// Layout is where the cluster's pieces are.
type Layout struct {
	Dir        string // the cluster's folder
	Kubernetes string // folder of etcd and Kubernetes' binaries
	Containerd string // folder of containerd's binaries
	CoreDNS    string // folder of coredns
	PauseImage string // the image that holds a pod's namespaces
}

// Plan is a cluster as data.
type Plan struct {
	Files     map[string][]byte // configuration, by path relative to the cluster's folder
	Core      []process.Spec    // what runs first, up to an API server that answers
	Manifests []byte            // YAML to apply to it then
	Rest      []process.Spec    // what runs last, and relies on the manifests
}

// NewPlan renders the cluster that l lays out.
func NewPlan(l Layout) (Plan, error) {
	plan := Plan{Files: map[string][]byte{}, Core: core(l), Rest: rest(l)}
	for file, name := range map[string]string{
		"containerd.toml":      "containerd.toml",
		"cni/10-pods.conflist": "cni.json",
		"kubelet.yaml":         "kubelet.yaml",
		"kube-proxy.yaml":      "kube-proxy.yaml",
		"Corefile":             "Corefile",
	} {
		content, err := render(name, l)
		if err != nil {
			return Plan{}, err
		}
		plan.Files[file] = content
	}
	var err error
	plan.Manifests, err = render("manifests.yaml", l)
	return plan, err
}

// render fills in one of the templates.
func render(name string, l Layout) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(templates, "template/"+name)
	if err != nil {
		return nil, fmt.Errorf("parse the template of %s: %w", name, err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]string{
		"Dir": l.Dir, "PauseImage": l.PauseImage, "Name": Name, "Cgroup": sandbox.Cgroup,
		"Node": sandbox.Node, "Broker": sandbox.Broker, "Pods": sandbox.Pods, "NodePods": sandbox.Pods,
	})
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// core is the API server and what does not need one.
func core(l Layout) []process.Spec {
	const loopbackEtcd = "http://127.0.0.1:2379" // the sandbox's loopback: nobody else is there
	return []process.Spec{
		{
			Name: "etcd", Path: l.kubernetes("etcd"),
			Args: []string{
				"--data-dir=" + l.in("etcd", "data"), "--listen-client-urls=" + loopbackEtcd, "--advertise-client-urls=" + loopbackEtcd,
				"--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync",
			},
			// The API server's own readiness covers etcd, which listens where only the sandbox sees it.
		},
		{
			Name: "containerd", Path: filepath.Join(l.Containerd, "containerd"),
			Args: []string{"--config", l.in("containerd.toml")},
		},
		{
			Name: APIServer, Path: l.kubernetes(APIServer),
			Args: []string{
				"--etcd-servers=" + loopbackEtcd, "--advertise-address=" + sandbox.Node,
				"--tls-cert-file=" + l.in("pki", "kube-apiserver.crt"), "--tls-private-key-file=" + l.in("pki", "kube-apiserver.key"),
				"--client-ca-file=" + l.in("pki", "ca.crt"), "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
				"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
				"--service-account-key-file=" + l.in("pki", "service-account.key"),
				"--service-account-signing-key-file=" + l.in("pki", "service-account.key"),
				"--service-cluster-ip-range=" + sandbox.Services, "--allow-privileged",
				// With what it reads logs at the kubelet.
				"--kubelet-preferred-address-types=InternalIP",
				"--kubelet-client-certificate=" + l.in("pki", "kubelet-client.crt"), "--kubelet-client-key=" + l.in("pki", "kubelet-client.key"),
			},
			Ready: answers("https://" + sandbox.Node + ":6443/readyz"),
		},
	}
}

// rest is everything that talks to the API server.
func rest(l Layout) []process.Spec {
	return []process.Spec{
		{
			Name: "kube-controller-manager", Path: l.kubernetes("kube-controller-manager"),
			Args: []string{
				"--kubeconfig=" + l.in("kube-controller-manager.kubeconfig"), "--bind-address=" + sandbox.Node, "--leader-elect=false",
				"--use-service-account-credentials", "--service-account-private-key-file=" + l.in("pki", "service-account.key"),
				"--root-ca-file=" + l.in("pki", "ca.crt"), "--service-cluster-ip-range=" + sandbox.Services,
			},
			Ready: answers("https://" + sandbox.Node + ":10257/healthz"),
		},
		{
			Name: "kube-scheduler", Path: l.kubernetes("kube-scheduler"),
			Args: []string{
				"--kubeconfig=" + l.in("kube-scheduler.kubeconfig"), "--bind-address=" + sandbox.Node, "--leader-elect=false",
			},
			Ready: answers("https://" + sandbox.Node + ":10259/healthz"),
		},
		{
			Name: "kubelet", Path: l.kubernetes("kubelet"),
			Args: []string{
				"--kubeconfig=" + l.in("kubelet.kubeconfig"), "--config=" + l.in("kubelet.yaml"), "--root-dir=" + l.in("kubelet"),
				"--hostname-override=" + Name, "--node-ip=" + sandbox.Node,
			},
			Ready: answers("http://" + sandbox.Node + ":10248/healthz"),
		},
		{
			Name: "kube-proxy", Path: l.kubernetes("kube-proxy"),
			Args:  []string{"--config=" + l.in("kube-proxy.yaml")},
			Ready: answers("http://" + sandbox.Node + ":10256/healthz"),
		},
		{
			Name: "coredns", Path: filepath.Join(l.CoreDNS, "coredns"),
			Args:  []string{"-conf", l.in("Corefile")},
			Ready: answers("http://" + sandbox.Node + ":8181/ready"),
		},
	}
}

// in returns a path in the cluster's folder.
func (l Layout) in(path ...string) string { return filepath.Join(append([]string{l.Dir}, path...)...) }

// kubernetes returns the path of one of Kubernetes' binaries.
func (l Layout) kubernetes(name string) string { return filepath.Join(l.Kubernetes, name) }
