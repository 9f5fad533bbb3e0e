// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package control measures the control plane: `make bench-control` writes out/bench-control.json. It is tests alone, which `make test` leaves out.
//
// # What is real
//
// API server and etcd are real, each comparison has its own. The operator is wired as cmd/manager wires it (package controllers/operator) and is a process of its own:
// this test binary again, see TestMain. All it lacks is the guard of addresses that are dialled, since the broker is on loopback. The broker is the fake of
// internal/rocketmq, which passes the conformance suite of the real one; every call takes 5 ms at least. `real` has the real broker instead.
//
// There is no kubelet: a controller here makes of each Deployment the pods that it wants, ready at once, each at an address of its own in 127.0.0.0/8. They
// answer the sync call as idle workers do, by the group's certificate and token, from one listener.
//
// # The objects
//
// A namespace has a hundred groups, as one of fifty product teams would: an MQCluster (all of them the same RocketMQ), ten adapters with a rate and a concurrency, twenty
// flows of three consumers, and forty groups on their own that listen to the flows' topics. Every adapter is shared by ten groups. A group in five scales from one to four
// pods, the others have one. 5,000 groups are 50 clusters, 500 adapters and 1,000 flows besides.
//
// # How it measures
//
// ready_*_vs_raw: from when the first object is created to when a watch has seen all of them Ready, by the same of a raw client. That has 32 workers, as many as groups are
// reconciled at once, no limit of requests, as the operator has none, and no need to decide: once an object is created it applies what the operator made of one like it
// (the claim in the status, eight objects, the status when the pods are ready), reads nothing, calls no broker, and sends no event.
//
// idle_*: nobody changes anything and no message was ever sent, 150 s after all was Ready. Writes are counted by the API server, whoever made them, but for leases; CPU and memory
// are the process's by /proc; objects are all of OrderFlow's kinds. Where all was made within less than five minutes, as with 1,000, no group is due to be read back in that minute, and no idle pod to
// be asked.
//
// restart_5000_vs_sync: 200 groups get another number of pods while there is no operator; from the start of its process to the first Deployment that has it, by the time in which
// a process reads the same objects into plain informers. A Deployment of another group that changes fails the run.
//
// reconcile_p99_ms: 50 groups a second get other pods, and reconcile_p99_ms_at_5 five; from when a watch shows the change to when it shows the status that speaks of it, which
// comes after the Deployment. reconcile_live_p99_ms and its _at_5 are the same of another template, which pods take over as they run: four writes, the user's among them, where other pods are six.
// reconcile_raw_p99_ms and its _at_5 are the former of the raw client: it writes the Deployment as a watch shows the change, and then the status, by which four writes are all there are. What it takes is what
// the machine can do at all.
//
// # Limits
//
// API server, etcd, broker, pods and operator share the machine's cores: on two of them the API server is what all wait for. -control.groups makes all sizes smaller
// for a quick look, and the figures' names then say too much.
package control
