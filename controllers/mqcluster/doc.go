// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package mqcluster looks after MQClusters: whether a RocketMQ cluster can be reached with the given credentials, which one it is, and what its
// brokers can do. It creates nothing.
//
//	Secret ─▶ name servers: cluster, masters ─▶ each master: version, configuration ─▶ status
//
// Everything others need to know of a cluster is in the status this package writes; flows and groups wait until it is Ready. It is read anew
// every minute, give or take 10 %, every 10 s while something is wrong, and at once when those that read offsets each second (package lag) find that its brokers have fallen
// silent, or answer again.
//
// A master that the name servers drop is missed, with the messages it holds, until it is back, the spec is edited, or the annotation
// orderflow.dev/forget-broker names it: were it left out, a cluster that lost a broker would look as well as before.
//
// What brokers have switched off, or on, that somebody will stumble over is told in the condition BrokerSettings, and makes nobody wait. A broker of which
// slaves alone are there is missed like a master that is lost.
//
// With spec.tls.mode Verify nothing is sent to a name server or broker, access keys least of all, before its certificate was verified. The Secrets are read at
// every look: a new authority applies at the next, by new connections.
//
// Invariants: what could not be read is not shown as if it had been (features Unknown, versions and delay levels empty); the identity survives
// brokers that move (see topology.Identify); an access key is checked at a broker, since name servers ask for none.
package mqcluster
