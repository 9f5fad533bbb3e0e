// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster brings up a real Kubernetes with a real RocketMQ beside it, in one of two ways, and tells tests and the
// demo how to use what is up.
//
// # How it works
//
// Where a Docker daemon answers, Up makes a kind cluster out of hack/kind.yaml and runs RocketMQ in it, from its public image.
// Elsewhere it runs the same components as processes of this machine, in a sandbox: package part builds them, package node
// says how to run them, package process starts them, package rocketmq adds the brokers. Either way pods find the name server as
// rocketmq-namesrv.rocketmq.svc.cluster.local:9876, so a sample that works on one way works on the other.
//
// What is up is described by an Env, a file in the cluster's folder. Current reads it: that is all a test needs.
//
//	env, err := cluster.Current(ctx)           // ErrDown: run `make up`
//	config, err := clientcmd.BuildConfigFromFlags("", env.Kubeconfig)
//	producer.Connect(env.NameServers)          // from this machine
//	env.HangBroker(ctx); env.RestartBroker(ctx)  // a fault, and its end
//
// # Invariants
//
//   - Up and Down are idempotent, and one of them runs at a time: others wait.
//   - Down needs no record of what Up did. It works after an Up that was killed, after one of the processes was, and twice.
//   - The Env is written last: what Current returns was complete once.
//
// # Limits
//
// One cluster per user. The way without Docker needs Linux and root. On the way with Docker, this machine reaches
// RocketMQ at the address of kind's node, which Docker routes on Linux but not on Docker Desktop. Network policies are
// enforced by kind alone: the other way accepts them and lets everything through.
package cluster
