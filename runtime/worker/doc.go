// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package worker is a worker pod's process: it reads its files, builds consumer, delivery, handler and adapters from them, and runs until it is told to stop.
//
//	structure.json ──▶ consumer ▶ delivery ▶ handler ▶ adapters ◀── live.json, or /sync
//	                       └── /healthz /readyz ──── /sync /metrics ──┘
//
// It needs no control plane: all it reads are files, and it refuses to start with a clear sentence if they are not right. Limits and the templates of
// requests change while it runs. They come from the file, which is looked at every two seconds, and from the sync call, which is faster; what a sync
// call brought holds until the file changes. Limits that are not valid change nothing, and are named in log, metrics and the sync answer; so are
// templates that cannot be compiled, for which limits do not wait. A process begins with the templates of its structure if its limits have none of
// the same steps.
//
// Brokers are spoken to in plain text, or by TLS that is verified before anything is sent. Who is trusted is a file, too, and is read for connections to come.
//
// Stopping: readiness off → the consumer hands its queues over, which ends running calls within the grace period → the servers close.
//
// /healthz is 200 while there is progress: the consumer's loops come round, and no message is handled for longer than its requests may take. Brokers
// and third parties that are away are no reason to be replaced. /readyz is 200 once the worker is a member of its group and has
// taken over the queues that fall to it, so that a rollout goes on only then, and while it is a member. Both are plain HTTP for the
// kubelet. /sync and /metrics want TLS with the group's certificate, and its token.
package worker
