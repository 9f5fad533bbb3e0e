// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rocketmq sends messages to one RocketMQ topic. It is the only importer of rocketmq-client-go and keeps that
// client's sharp edges away from everybody else.
//
// # How it works
//
// New returns at once: a goroutine resolves the name servers, starts the client and locates the topic, again and again
// with growing pauses, so that an order system starts while its broker is down. Until the topic is located Send and
// SendOneway answer ErrNotReady. From then on the library keeps connections and routes up to date by itself.
//
// Every accepted message is one pending value. It ends exactly once, by the library's callback or by our timer,
// whichever comes first, and then calls done and gives its room back.
//
//	Send ── validate ── admit (count, bytes) ── library ──┬─ callback ─┐
//	             │            │                           └─ timer ────┴─ done(receipt, error), once
//	             └────────────┴─ error at once, done is never called
//
// One with an order key stands in a line between admit and library until its turn comes.
//
// # Order
//
// Messages with an OrderKey go to one queue, chosen by the key's hash over the sorted list of all queues, as Java's
// SelectMessageQueueByHash does. They leave one at a time, each when the one before was confirmed; when one fails, those
// behind it fail with ErrOrderBroken. So what consumers see of a key is what one sender sent, in its order and without gaps;
// senders of one key in several processes have no common order.
//
// The list of queues does not become shorter while a broker is away: its keys fail with ErrQueueAway or a refused connection,
// the others flow. Config.OrderQueues makes that hold for a client that starts meanwhile, too. When the topic gets more
// queues, keys move to others, in each client when it sees the new route (30 s) or is started with the new list: to keep
// the order through that, stop sending until consumers have drained the topic.
//
// # Invariants
//
//   - When Send returns nil, done is called exactly once, at most Config.SendTimeout plus a short slack later.
//   - A SendError says what became of the message: Unsent, Refused or Unknown. Anything the broker did not confirm
//     with its plain OK is an error; "stored but not flushed" is Unknown.
//   - Memory is bounded: Config.MaxPending messages of Config.MaxPendingBytes in all; above it ErrTooManyPending at once.
//   - A sender's context never tears down the connection that all senders share.
//   - A message keeps its ID through every attempt made for it, so that consumers can recognise it.
//
// # Limits
//
//   - A topic's message type (Normal, FIFO, Delay, Transaction) is enforced by the gRPC proxy only: over this protocol a broker
//     takes every kind of message on every topic.
//   - TLS is refused by leaving it out: the library's does not verify certificates, and lets nobody else make its connections. A
//     binding of a cluster with TLS is refused by runtime/producer with that sentence.
//   - Security tokens are refused: the library leaves them out of the signature.
//   - The name servers' names are resolved again by the library after 10 s and then every 2 min; a known route keeps
//     working meanwhile.
//   - A broker that moves to another address is found by the library's route poll, every 30 s.
//   - The library logs through one process-wide logger: the first Client's logger gets the lines of all.
package rocketmq
