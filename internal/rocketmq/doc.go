// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rocketmq speaks the remoting protocol of Apache RocketMQ 5.x by hand: calls
// to name servers and brokers, their administration, and what consuming is made of
// (pull, commit, lock, heartbeat, send back). Both planes use it; it imports neither.
// What is said here of brokers was seen at 5.5.0 and is checked by package conformance.
//
// # Files
//
//	frame.go header.go       a command and its bytes
//	client.go conn.go sign.go one connection for each address, many calls on it
//	code.go error.go         what is asked, what is answered, kinds of failure
//	cluster.go route.go      name servers, brokers, where queues are
//	topic.go group.go stat.go broker.go   administration
//	offset.go lock.go member.go pull.go send.go running.go   consuming
//	transaction.go           messages that wait for a decision
//	message.go batch.go compress.go   messages as stored
//	json.go queue.go         JSON that is none, and maps keyed by queues
//	walk.go offset.go        a reply of a megabyte, read where it stands
//	fake/ conformance/       a broker in memory, and the suite it shares with the real one
//
// # A call
//
// [Client.Do] appends the frame to what its connection has to write, and waits. One
// goroutine of the connection writes all that is pending at a time; another reads and
// hands each reply to the call with its opaque number. So a call that gives up costs
// only itself: its frame is written whole or not at all, its late reply is dropped, and
// the connection serves the others. A pooled call is touched by exactly one of the two
// who may end it, the caller or the reader: whoever takes it out of the table.
//
// A connection is dialled once for all who want it, in the client's time and not in
// that of the first caller, and without holding up other addresses. It ends when it
// fails, when the peer sends what is no frame, when a write is stuck, when the peer
// owes an answer for 20 s and a call has run into its deadline meanwhile, or when it
// has been idle for so long that the peer is about to close it. After a failed dial the
// address is left alone for 0.1 to 2 s; calls fail at once with the reason.
//
// # Not obvious
//
//   - What was registered on a connection (membership) is void when it ends.
//     Config.OnClose says so before any caller sees the failure and before the next
//     connection exists, so that a fence moved there is never late.
//   - Sent again, once, is only what cannot have arrived, or what may arrive twice
//     (see Do). A send or a send-back is never repeated: its caller must decide.
//   - A reply's code is an error unless it is OK. Topics and offsets that do not exist
//     are sometimes answered with 0 and no error: the methods say where.
//   - A field that is missing from a group that is written takes the broker's default,
//     an attribute without "+" is refused, and a group that was never committed looks
//     like one committed at 0 in statistics.
//   - Maps come as {{"queueId":0}:{…}} and {0:"addr"}: [RepairJSON]. A key within a key
//     is refused, as its escapes would double with each level.
//   - A message that cannot be decoded comes as a message with an error between its
//     neighbours; decompressed bodies are bounded each and together, and a pull that
//     would exceed the bound ends early, so that the next one goes on there.
//   - Messages share the memory of the reply they came in.
//
// # Limits
//
// Replies in RocketMQ's binary serialization are refused; brokers use it only when
// asked to. There is no reading from replicas, no POP; a checksum of a
// stored message is not looked at.
package rocketmq
