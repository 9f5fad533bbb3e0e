// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apply writes to the Kubernetes API: the objects OrderFlow owns, and the status of its kinds. No controller writes by another way.
//
// Objects are written by server-side apply under the field owner "orderflow". A caller declares a typed object with just the fields
// OrderFlow wants to own; whatever others set beside them (an HPA's replicas, an admin's annotation) stays theirs. Ownership is forced:
// a field OrderFlow declares is OrderFlow's. An apply that changes nothing is no write: the API server sees that and keeps the
// resource version.
//
// Invariants:
//   - An object that exists and is not controlled by the owner is never touched: *TakenError, for the caller to explain.
//   - Every applied object carries its owner as controller, so Kubernetes removes it with the owner.
//   - Status is patched once per reconcile, and only if it changed.
//
// Objects are read from the API itself, not from a cache, before they are written: Secrets are not cached at all, and a cache that lags
// behind a deletion would make the check of the owner answer about the past.
package apply
