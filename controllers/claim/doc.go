// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package claim decides who owns a name on a physical RocketMQ cluster.
//
// Topics and groups on a broker carry no owner, and any namespace may declare any name. So among the objects that declare the same name
// on the same physical cluster one is the owner, the oldest; the others report Conflict and touch nothing. The decision depends only on
// what every reconcile can see, so all come to the same answer without talking to each other.
package claim
