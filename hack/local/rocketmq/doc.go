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
//	<dir>/namesrv/{node.conf, out.log, pid, logs/}
//	<dir>/broker-a/{node.conf, out.log, pid, logs/, store/}
//	<dir>/admin/conf/tools.yml                              (only with ACL: mqadmin's credentials)
//
// All nodes boot at the same time. A node is ready when it has said so on its standard output and, for a broker, when
// the name server lists it: what clients need to find a route.
//
// # Invariants
//
//   - A node holds an exclusive lock on its pid file for as long as it lives, through a descriptor that it inherits.
//     So a pid file nobody locks is stale whatever number it holds, no stranger is ever signalled, and a second
//     cluster on the same folder is refused.
//   - Nodes do not outlive the process that started them, however it ends, unless Options.Detach says so: on Linux
//     the kernel kills them (see start in process.go); elsewhere Stop has to be called.
//   - A broker keeps its port and its store across StopBroker or KillBroker and StartBroker.
//
// # Limits
//
// Automatic ports are free when they are chosen, not reserved: a node that loses its port to another program in the
// moment between fails to start with the broker's own message. There are no slaves, controllers or proxies.
package rocketmq
