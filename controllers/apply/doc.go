// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apply writes to the Kubernetes API: the objects OrderFlow owns, and the status of its kinds. No controller writes by another way.
//
// Objects are written by server-side apply under the field owner "orderflow". A caller declares a typed object with just the fields
// OrderFlow wants to own; whatever others set beside them (an HPA's replicas, an admin's annotation) stays theirs. Ownership is forced:
// a field OrderFlow declares is OrderFlow's. What was applied before and has not changed since is not sent again.
//
// Invariants:
//   - An object that exists and is not controlled by the owner is never touched: *TakenError, for the caller to explain. One that a cache does not have is made, and not written over if there is one.
//   - Every applied object carries its owner as controller, so Kubernetes removes it with the owner.
//   - Status is written once per reconcile at most, as a whole, only if it changed, and only over the version it was decided on. What may wait is written with what comes next.
//
// Limits: a label or annotation of ours that somebody changes by hand is put right with the next change of the object, or at the next start.
// What was applied is remembered in memory, some 100 bytes an object, and on the object: a new operator applies what is not marked as it would mark it.
package apply
