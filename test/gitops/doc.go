// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gitops proves that config/gitops does what it is there for: Argo CD's health script runs, as Argo CD runs it, over the statuses of every kind in every
// phase, and what Flux is given has the fields that Flux knows. How Flux reads a status is proved where statuses are written: controllers/suite.
package gitops
