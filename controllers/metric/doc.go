// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metric shows what the status of OrderFlow's objects says as metrics of the operator: each condition with its reason, and what was decided on the pods of
// a group and from what. It is read from the cache when it is asked for, so that an object that is gone has no series.
//
// An object has one series for each of its conditions, whatever happens to it. The metrics are listed in docs/metrics.md and judged by test/metriclint.
package metric
