// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package patience says how long a deleted object waits for brokers that cannot be asked.
//
// Only an outage counts, without a break: the time an object waited for its messages to be consumed does not, however long it was. Else
// the first call that fails after it would leave behind what could be deleted a moment later.
package patience
