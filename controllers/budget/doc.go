// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package budget divides what a third party allows a whole account among the pods that call it. It is pure.
//
// A limit is divided by the most pods there can be: the sum, over all groups that refer to the adapter, of maxReplicas where the group
// scales, else of replicas. A share thus never has to be taken back when a pod starts, and the sum over all pods is never above the
// account's limit, whoever is running and whether or not the operator is. The price is that pods which are not running leave their share
// unused: a group that drains at an account's limit declares fixed replicas.
//
// Two shares cannot be made smaller, so that with very many pods they exceed the account together: every pod has a burst of at least 1 and
// may have at least 1 request in flight. Oversubscribed says so.
package budget
