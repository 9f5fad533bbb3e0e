// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package security holds what is installed to docs/security.md, on a real API server: what the operator and people may do, who may name a Secret,
// and that pods are admitted where only restricted ones are. A kind or a reference to a Secret that is added to the CRDs fails here until it has its
// roles and its place in the policy.
package security
