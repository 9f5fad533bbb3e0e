// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package producer is what an order system uses: it sends one message per event to the topic an OrderFlow declares.
//
// # How it works
//
// The operator writes a producer-binding Secret; mounted as a directory it has the shape of a Service Binding, one file
// per key. ReadBinding reads it, New makes a Producer from it. The order system then does, when an order is paid:
//
//	tx: update the order, deduct the stock, outbox.Add(ctx, tx, message)
//	send the message in the mode of the binding, and when the broker confirmed: relay.Sent(message.ID)
//
// There are three ways to send. Send waits for the broker's confirmation. SendAsync returns at once and calls back, on
// success or on failure, exactly once. SendOneway expects no answer: what is lost on the way nobody learns.
//
// A message may have an OrderKey, whose messages keep their order, or a Delay; package rocketmq says what they cost. Each send
// has a span, and its W3C trace context is in the message's properties traceparent and tracestate.
//
// A TransactionProducer sends messages that consumers see when a local transaction committed. RocketMQ stores the message first,
// invisible; then the local transaction runs, and the broker is told its Decision. When it is not told, as the process died or
// the connection broke, it asks any process of the producer group, whose Check looks into the database. It speaks OrderFlow's
// own client: the library's checks in one goroutine that a panic or a slow check ends or stops for good, drops the errors
// of its decisions, registers up to 30 s late, and logs whole messages.
//
// The Outbox closes the gap between the order's transaction and the broker: its row is written in the same transaction,
// and the Relay sends every row that was not confirmed until the broker took it. It works in any database/sql whose Dialect is
// known. Any number of relays may run: each claims rows for a minute, those with no earlier row of their order key that it cannot
// claim too. What could not be sent is tried again by a loop of its own, a second later at the earliest, what waits longest first:
// however many rows a broker that is away leaves behind, they are not in the way of new ones.
//
// # Invariants
//
//   - No call blocks longer than the binding's send timeout plus a short slack, whatever the state of the cluster.
//   - What waits for the broker is bounded, see rocketmq.Config; above it sending fails at once and says so.
//   - A row leaves the outbox only when the broker confirmed the message: at least once, never less. Every attempt
//     carries the same message ID. It is sent twice where an answer was lost, or a process ended between the answer and the
//     row's removal.
//   - Rows of one order key are sent in the order of their ids, each when the one before was confirmed. That is the order of
//     their transactions if one ended before the next wrote its row, as it does where both changed the same order.
//   - A row that can never be sent is marked with the reason and stays; it stops none behind it, of its key neither.
//   - A relay holds at most about 30 MiB of rows.
//   - A relay changes only rows that are its own still, and locks none that an order's transaction writes.
//
// # Limits
//
//   - A message in a transaction may become visible twice, with one ID: the broker also asks about what it was told in the last
//     seconds. After 15 questions (transactionCheckMax) without a decision it drops the message.
//   - A changed binding is read by making a new Producer.
//   - The statements of SQL Server and Oracle are read by people, in testdata/outbox.sql; those of SQLite, PostgreSQL and MySQL
//     (by MariaDB) run in tests.
//   - A broker that takes connections and never answers costs a relay a send timeout for each new order key that belongs to it:
//     others wait for that.
//   - The clocks of hosts with relays should agree within half a minute: a claim that seems over is taken, and its rows may be
//     sent twice.
package producer
