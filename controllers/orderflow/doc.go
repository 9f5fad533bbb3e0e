// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package orderflow looks after OrderFlows: the topic on every master broker, the Secret by which the order system sends, and one
// MQConsumerGroup per consumer.
//
//	gather: MQCluster, rivals, topic on each broker
//	   │
//	   ├─ claim  ──▶ status.topic.clusterIdentity   first, and alone in its reconcile
//	   ├─ topic  ──▶ created or corrected on each master, read back
//	   ├─ groups ──▶ MQConsumerGroups, by server-side apply; those no longer declared are deleted
//	   └─ binding ─▶ Secret, at first when no group would miss what is sent with it
//
// # Whose topic is it
//
// A topic on a broker carries no owner. So a flow writes into its status that it is about to make the topic, and makes it in the next
// reconcile: a crash in between leaves a claim without a topic, never a topic without a claim. A topic that is there before the claim is
// somebody else's (AlreadyExists) unless spec.topic.adoptionPolicy is Adopt. A flow restored from Git has no status: its topic looks like
// somebody else's, and the message says to set Adopt. Of several flows that declare one topic on one physical cluster the oldest wins
// (Conflict), see package claim.
//
// # Deleting
//
// With deletionPolicy Delete a flow has a finalizer. It stays while a group of the topic has messages it did not consume, retries included
// (MessagesUnconsumed); its pods run on meanwhile. Dead letters are the group's and outlive the topic. Setting deletionPolicy to Retain lets it
// go at once and keeps the topic. If the cluster cannot be reached for ten minutes, or is no longer the one on which the topic was made, or an
// older flow declares the topic as well, the flow goes and the topic stays, with an event.
//
// # Growing
//
// More queues move order keys: a key's queue is its hash modulo their number. So with growthPolicy Refuse none are added, on a new broker neither, while an
// Orderly group of the topic on the physical cluster has messages to handle, or while that is not known (GrowthRefused). What is only put back, up to
// status.topic.orderQueues, moves no key and waits for nobody: a topic that somebody deleted on a broker is made anew there at once, with the event
// TopicGone. A queue that takes messages is read, also where somebody declared fewer to read.
//
// With permission Read a topic runs empty; with Write its messages wait, and its MQConsumerGroups say TopicNotReadable.
//
// # Silence
//
// With spec.topic.expectTraffic the brokers are asked when the last message was stored, once in the time within which one is expected, and at each look while
// there is none (NoTraffic). They know it also after a restart of the operator. A flow that is younger than that time is not silent yet.
//
// # Invariants
//
//   - Queues only grow. More queues than declared are kept.
//   - The binding lists the queues over which order keys are spread, also those of a broker that is away; status.topic.orderQueues remembers them.
//   - Nothing is written to a broker before the claim is in the status, or after the claim was lost.
//   - A topic is read back field by field on every master; one broker less is PartlyApplied, not Ready.
//
// # Limits
//
// A message that is sent between the last look at the backlog and the new queues may be overtaken, and so may those of producers that take up the new
// queues at different times. Between claim and creation, some milliseconds, somebody else may make the topic; it is then taken for ours. The order system may send
// between the last look at the backlog and the deletion of the topic. A topic of the same shape on another cluster of the same name, put
// under an MQCluster by editing its name servers while the brokers moved, is told apart only by their addresses.
package orderflow
