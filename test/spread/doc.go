// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package spread lets a third party be down for several pods that the operator tells of each other: one of them probes for all. What a worker is made of and
// the operator's side of the sync call are real; brokers, connections and time are in memory. It is a package of its own since it needs both planes.
package spread
