// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operator makes one manager of all controllers: what it watches and holds in memory, how it talks to the API server, and who knows whom.
// cmd/manager adds flags to it, and the benchmarks run it against a broker on loopback.
package operator
