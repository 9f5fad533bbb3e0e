// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lag knows how far every group has come: what waits, what arrives, and what one pod handles.
//
//	Sampler.Look ─ every second, all groups of a physical cluster in one pass ─▶ History of each group ─▶ Signals
//	   43 per master broker: every group's committed offsets
//	   202 per topic and master broker: the queues' ends
//
// A pass costs one call per broker for all offsets and one per distinct topic, however many groups there are, and at most eighty, besides what was never counted: beyond that topics take turns (see plan),
// those first whose groups are busy or have no pods. Retry and dead-letter topics, of which each group has its own, are asked every few passes only, and less often while
// their group is idle. That a group with pods has become busy shows in its offsets, which are read in every pass.
//
// History is pure: it is given looks, keeps the last half minute as differences between them, and answers with Signals. Differences are
// taken queue by queue over the queues both looks have seen, so that a broker that did not answer, or a queue that was added, is neither
// a burst of arrivals nor progress.
//
// What the Signals mean:
//   - Lag is what lies between committed offset and end of every queue, without what the broker has dropped by age. Messages in flight
//     count: they are not handled yet. A queue the group has no offset for does not count, and Unseeded says that there is one.
//   - ArrivalRate counts retries that come back as well as new messages: both have to be handled.
//   - RatePerReplica is learnt only while more messages wait than the ready pods hold in their hands, since with fewer the pods may simply
//     have nothing to do; and not while a pod is parked. What was learnt is kept.
//
// Heads are the first messages that wait: which they are, for how long they have been the first, and when they were stored. That is known from the looks: each sees
// how long a queue is and when its last message was stored, so that a message is no older than the last look without it, and no younger than the first with it. Of a
// backlog that is older than its first look nothing of that is known; its broker is asked, about one message at a time and a few in a pass, so that what a pass
// costs does not grow with what waits.
//
// What could not be read is not known: a group whose brokers did not all answer has no Signals for that moment, and Fresh says whether
// they answered lately: what was seen of a group that waits for its turn holds on while they do. That no broker has the topic was read: nothing waits in it.
//
// Nobody sees sooner than a pass that brokers answer no more. Look names their MQClusters once that lasts longer than a restart, and when it is over.
package lag
