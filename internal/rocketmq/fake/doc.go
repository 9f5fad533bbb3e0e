// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fake is a RocketMQ in memory that speaks the protocol: a name server and
// any number of master brokers, with topics, groups, offsets, queue locks that
// expire, members, pulls that wait, sending, sending back through delay levels,
// transactions, and statistics. It passes the same suite as the real one (package conformance), so it
// stands in for it where a test needs faults, several brokers, or time that passes
// at once.
//
// # Two ways to reach it
//
// Start listens on loopback ports, for code that dials. StartInMemory has no ports:
// pass [Cluster.DialContext] to the client. As nothing of it waits outside the
// process, it runs in a testing/synctest bubble, where the broker's clock (delay
// levels, lock expiry, long polls) is the bubble's.
//
// # Faults
//
// [Cluster.Inject] makes calls fail with a code, wait, hang, or lose their
// connection, before or after they were carried out. [Broker.Stop] and
// [Broker.Start] restart a broker (its locks and members are gone, its messages
// stay), [Broker.Trim] and [Broker.Hole] delete old messages, [Cluster.SetProperty] configures brokers,
// [Cluster.Cut] breaks connections as a
// network does, [Cluster.SetClock] makes clocks differ, and [Cluster.Calls] tells
// what was asked.
//
// # Limits
//
// Messages are never deleted by themselves, there are no replicas, no
// timer wheel. Of SQL92 it knows that an expression does not end in
// an operator; everything matches it. A route changes at once everywhere.
package fake
