// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package telemetry is what a worker tells about itself: metrics in a registry of its own, and logs as JSON lines.
//
// Metrics are named orderflow_<noun>_<unit>, listed in docs/metrics.md, and judged by test/metriclint. Their labels have few values each, never an
// order, a key or an address. What the consumer, the delivery and the adapters observe is counted as it happens; what has a present value (circuits,
// requests in flight, messages waiting) is read when it is asked for.
//
// Of log lines that say the same of many messages the first are written, and then their number; lines that name no message always are.
package telemetry
