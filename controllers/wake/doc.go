// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wake has objects reconciled for the changes of others, once for many: when a flow's groups become Ready, or an adapter's groups are made, that is one look a
// moment later, and one status, where it would be one for each.
package wake
