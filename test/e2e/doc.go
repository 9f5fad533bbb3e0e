// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e runs the product on a real cluster, from apply to delete: a real RocketMQ, real pods, real SIGKILLs. It needs `make up` and the
// images; `make e2e` does all of it.
//
// The tests run one after the other on one scene: the sample, a shop and a stub in one namespace. Each pays orders of its own and is judged by these
// alone, from the order database and the stub's calls (package ledger). TestSampleDeleted comes last and takes the scene away.
//
// TestControlPlane is apart, as it takes a quarter of an hour (`make reliability`): operator and API server are killed, doubled, upgraded and taken away, and nobody who pays,
// and no third party, notices.
package e2e
