// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package contract says what of a ThirdPartyAdapter workers get to know, in the words of api/worker: what it declares, and which keys of which
// Secrets. It is asked by the adapter's own controller, which checks it before any worker sees it, and by those of the groups that call it. It is
// pure.
package contract
