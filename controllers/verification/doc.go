// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package verification remembers when an object was last read back from all its brokers, and so when that is due again.
//
// It is in memory, not in a status: a time that changes at every look would be a write for every look. A status has the time of its last other change; the metric
// orderflow_verified_timestamp_seconds has the last look. After a restart everything is due.
package verification
