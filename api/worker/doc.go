// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package worker is the only contract between OrderFlow's planes: the files a worker reads and the sync call it answers.
//
//	operator ──writes──▶ structure.json  (immutable ConfigMap <group>-<hash>, named by the pod template)
//	         ──writes──▶ live.json       (ConfigMap <group>-live, reloaded in place)
//	         ──calls───▶ POST /sync      (TLS and token of the group's Secret)
//
// A worker runs from its files alone: with the API server or the operator gone it goes on, and it holds no Kubernetes credentials.
// Structure is what cannot change under a running pod (group, subscription, steps, endpoints); a change rolls the pods. Live is what can
// (limits, timeouts, templates of requests); a change is picked up from the file, or carried by the sync call, which is faster.
//
// Pods outlive an upgrade of the operator. So a worker takes of a newer Live of its own Version what it knows, which is enough, and keeps what it had where the Version
// is another; its pod is replaced then, as its structure has another Version too. A Structure it wants to know all of: it comes with the operator's image, which reads it.
// An image that the user names (spec.workload.image) comes with nothing: one that is older than the operator refuses a Structure with anything new in it, and its pods do not
// start.
//
// The package has no dependency outside the standard library, so that the data plane stays free of Kubernetes' machinery. It is pure: decoding
// and validation, no I/O.
package worker
