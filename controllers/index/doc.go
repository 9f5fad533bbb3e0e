// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package index finds objects by what they name, so that a reconcile among thousands of objects looks at those few it has to do with.
//
//	list(MQConsumerGroups, index.Group: "push_consumer_group") ─▶ the objects that declare this group, in all namespaces
//
// The manager's cache keeps the indexes; Register makes it. An API server has none for these fields: package suite answers in its place for tests of reconcilers.
package index
