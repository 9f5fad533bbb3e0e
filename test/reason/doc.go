// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reason proves that nothing is declared that OrderFlow never says: every type of a condition and every reason of the API has a line in
// docs/conditions.md, and the test that the line names speaks of it. The page of a kind under docs/spec has its conditions, and the events that its controller
// names.
package reason
