// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package topology is the controllers' edge to RocketMQ: which cluster an MQCluster means, how to reach it, and what an error of it means
// to a user.
//
//	MQCluster ──Connector.Connect──▶ *Admin     its administration, over connections that are kept
//	          ──Usable─────────────▶ Result     whether others may rely on it now
//	err of a call ──Explain────────▶ Result     reason and sentence for conditions
//
// Admin is internal/rocketmq's client as it is: every method is documented there, and tests use that package's fake, which speaks the
// protocol and passes the same conformance suite as a broker. There is no second interface to keep true.
//
// Invariants:
//   - There is one Admin per MQCluster. It lives until the MQCluster is gone, or its name servers or who is trusted change; new credentials apply
//     at once to the connections that exist.
//   - An MQCluster keeps its identity while its brokers move: see Identify.
package topology
