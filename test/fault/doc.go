// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fault has the faults that must lose nothing: `make faults` brings each of them about for real, while orders are paid, and package ledger judges what
// came of it. It is tests alone, which `make test` leaves out: they take a quarter of an hour.
//
// Every fault has a topic, a group, workers and third parties of its own. Those that do not touch the broker share one and run side by side; those that do come
// one after the other on another broker, with a Push and a Pull group watched.
//
// # Figures
//
// For each fault, in out/faults.json:
//
//	<fault>_lost               orders that were paid, and have neither an effect nor a dead letter that says why
//	<fault>_duplicates         calls that were accepted beyond an order's first
//	<fault>_window             the redelivery window at the moment of the fault: see below
//	<fault>_duplicate_effects  effects beyond an order's first, at third parties that honour keys
//
// And of all together:
//
//	clean_leave_duplicates     of pods that left as the kubelet lets them; join_duplicates, of pods that joined
//	orderly_handover_…_s       the longest time for which a queue stood still while an order of it waited, after a member of a group that keeps order
//	                           was told to leave (sigterm), was killed (sigkill), or all were killed at once and others started (all)
//	orderly_reordered          orders that were called for before, or while, an earlier one of their key was
//	outage_…                   of a third party that was away, for real and in simulated time
//
// The window of a fault of brokers or workers is what the pods in question had in flight, or had finished and not committed, when it began. Where a third party is
// at fault it is also the calls made while it lasted: of a call whose answer does not come nobody knows whether it had its effect, and it must be made again.
//
// # Soak
//
// `make soak` pays a million orders, while a fault strikes every 20 s: which, whom and for how long is drawn from a seed that is printed. All are judged at the end; out/soak.json
// has soak_lost, soak_duplicate_effects, and how many faults there were. Fewer orders (MESSAGES=100000) make no evidence.
//
// # Limits
//
// What cannot be brought about from outside is built in: the worker whose handler panics, or whose wall clock jumps, is another build of the same sources, see
// rig.BuildSick. The broker's delay levels are seconds.
package fault
