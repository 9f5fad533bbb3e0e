// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package mqconsumergroup makes an MQConsumerGroup real: the group on every master broker, and the pods that handle its messages.
//
//	gather ─▶ check ─▶ claim ─▶ broker ─▶ workload ─▶ status ─▶ events
//	(reads)   (pure)   whose    group,     objects,    one
//	                   it is    topics,    pods        patch
//	                            offsets
//
// The first step that is not done decides what a user reads. Pods need all of them; the group on the brokers needs no adapter, so that its
// offsets are set while somebody still corrects one; limits need adapters only, so that pods take them over while a broker is away. What runs
// already goes on running whatever a step says: a reference that broke, or a broker that is away, changes no pod.
//
// Ownership. A group on a broker has no owner field. So the claim is written into status.clusterIdentity before the first write to a
// broker: after a crash in between, the group that is found there is known to be ours. Who claims what somebody older claims, or what was there
// before, touches nothing.
//
// Start offsets are set as soon as the topic is there, before the first pod starts, and never changed after: a worker that finds none would have to guess. The first time
// they are what spec.consume.startFrom says; status.seededTime records that it was done. Queues that appear later begin with what was stored
// since then, so that nothing is skipped that came before the operator saw the queue. Where somebody deleted offsets, with the group or the topic, the group
// goes on where it was last seen to stand, but no later than what came since that look: of a topic made anew, with its first message. Nobody remembers
// over a restart of the operator; then it is what came since the group began. Events tell of all of it (OffsetsLost, OffsetsSet, GroupMade).
//
// Pods. Everything a pod needs is in an immutable ConfigMap named by its template (structure) and in one that changes in place (live, see
// package budget). A changed structure replaces the pods one after the other, unless only templates of requests changed, which running pods
// take over like limits. A changed subscription or mode does not: two members that subscribe differently disturb each other at the broker, so
// all pods stop first, the broker has to have forgotten them, then the new ones start.
// The image of the operator's default is kept until the structure, or something else of the pod template, changes (see pinnedImage): an upgrade
// of the operator restarts no pod by itself, and one that changes the template replaces the pods with its own image.
//
// Number of pods: spec.replicas, or package scaling's decision, made from package lag's signals and the pods' own reports. Pulse looks at
// these every second, of groups without messages every ten, and wakes the reconciler when something changed that a user would want to know, so that nothing is written
// otherwise. What nobody waits for (a lag that moves, pods that are heard for the first time and are well) is told together, every ten seconds at most.
//
// Parked pods hand out no message. What passes by itself (a circuit, a limit) leaves a group Ready; what somebody has to change makes it
// Stalled, but keeps no new pod away: with the old ones it would never pass.
//
// Suspension, by spec.suspend of the group or of an adapter it calls, comes to the pods with their limits and replaces none. Drained says how far it is: settle is what pods say,
// quiet what brokers do. What counts is what a pod says of itself; what is not known is Unknown. A deadline stops nothing: it tells.
//
// Rollouts. A pod is ready once it is a member and the queues that fall to it are handed over, so that the next one is not taken away before. Each pod that goes
// hands over first, and nobody waits for a queue for longer than that takes.
//
// Guards. QueueStuck and RetentionAtRisk are made from the heads of package lag: what holds a queue, and what a broker is about to delete. Neither keeps a group
// from being Ready: it does what it declares. Messages name moments, not ages, which would be a write every second.
//
// Deletion. Everything in Kubernetes goes with its owner. On the broker it stays, unless deletionPolicy is Delete; only then is there a
// finalizer. It waits until every message has been handled, then stops the pods and deletes group, offsets, retries and dead letters. It
// gives up, with an event, when the MQCluster is gone or leads to another cluster now, when an older object declares the group, or when the
// brokers could not be asked for ten minutes without a break (see package patience). Whoever cannot wait sets deletionPolicy to Retain: the
// finalizer goes at once, and the group stays on the broker.
package mqconsumergroup
