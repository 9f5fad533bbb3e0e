// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wake says when objects are reconciled. For the changes of others it is once for many: when a flow's groups become Ready, or an adapter's groups are made, that is
// one look a moment later, and one status, where it would be one for each. For a change of its spec it is before those that
// wait for other reasons: among thousands that are busy with their pods a user does not wait for these. One that is new comes after them, whatever others' changes concern it: of thousands that are
// made at once the first are Ready in seconds, where each would wait for the steps of all.
package wake
