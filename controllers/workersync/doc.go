// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package workersync is the operator's side of the sync call: it asks every worker pod how it is, and carries
// changed limits to it. Pods that have anything to tell are asked every two seconds, those that are idle and well every five minutes, spread over them. What makes a group
// be asked at once: other limits or credentials, a pod that came or went, a lag, a third party that is not well for anybody who calls it.
//
//	reconciler ──Expect(group, credentials, limits)──▶ Syncer ──POST /sync──▶ pods of the group
//	reconcilers, sampler ◀──Reports(group)─────────────┘
//
// Both ends know each other by the group's Secret alone: the pods serve with its self-signed certificate, the only one the operator trusts
// for this group, and the operator shows its token. A pod of another group, or anything else that got a pod's address, can neither be
// mistaken for a worker nor steer one. Addresses come from the Kubernetes API, of pods with the group's label.
//
// Where a third party is down for all its pods, one of them is to probe, and the others are told to wait, for ten seconds at a time (see judge): when the
// operator falls silent every pod goes by its own circuit.
//
// Credentials are replaced after two thirds of their 90 days. Pods see the new ones when the kubelet has renewed the volume, about a minute
// later; until then the Secret, and the Syncer, hold the ones before as well.
//
// Everything is in memory and of this moment: a pod that did not answer in the last pass is known to have not answered. After a restart or
// a change of the leader nothing is known until the first pass, which Heard tells: until then who writes a status leaves there what stands. Only the leader asks.
package workersync
