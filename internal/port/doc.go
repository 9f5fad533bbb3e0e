// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package port deals out TCP ports to what a test starts. They are below the range from which systems take those of outgoing connections: a server that is stopped and
// started again finds its port free, and so does one that is told its port and opens it seconds later.
package port
