// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package version says which release of each real part the local environment runs. It is the only place that a person
// edits for an upgrade besides the module files in hack/kube, hack/containerd and hack/coredns, which a test compares
// with it. RocketMQ's release stands in hack/local/rocketmq, beside the pom that names it.
package version

// Releases, spelled as their Go modules spell them.
const (
	Kubernetes = "v1.37.2"
	Etcd       = "v3.7.3"
	Containerd = "v2.4.2"
	CoreDNS    = "v1.15.0"
	// SetupEnvtest is the tool that downloads etcd, kube-apiserver and kubectl where downloads work.
	SetupEnvtest = "v0.25.1"
)
