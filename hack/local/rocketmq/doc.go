// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rocketmq runs a real RocketMQ, a name server and one or two master brokers, as processes of this
// machine: for tests that must not trust a mock, and for the local environment and its demo.
//
// # How it works
//
// Fetch copies RocketMQ's jars from Maven into the user's cache, once per version and machine: pom.xml names them,
// Maven resolves them, a rename publishes the finished folder, and a file lock keeps concurrent fetchers apart.
//
// Start gives every node a folder of its own below Options.Dir:
//
//	<dir>/namesrv/{node.conf, out.log, logs/}
//	<dir>/broker-a/{node.conf, out.log, logs/, store/}
//	<dir>/admin/conf/tools.yml                           (only with ACL: mqadmin's credentials)
//
// All nodes boot at the same time. A node is ready when the name server answers and, for a broker, lists it: what
// clients need to find a route. Plan does all this but run the nodes, for callers with processes of their own making.
//
// # Invariants
//
//   - Nodes do not outlive the process that started them, however it ends: on Linux the kernel kills them (begin in
//     process.go says how); elsewhere Stop or Kill has to be called.
//   - A broker keeps its port and its store across StopBroker or KillBroker and StartBroker.
//   - Two clusters on one folder cannot harm it: a broker locks its store.
//
// # Limits
//
// Automatic ports are free when they are chosen, not reserved: a node that loses its port to another program in the
// moment between fails to start with its own message. There are no slaves, controllers or proxies.
package rocketmq
