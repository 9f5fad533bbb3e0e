// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package shop is the order system of tests and the demo. When an order is paid it updates the order and deducts the stock
// in one transaction of an embedded SQL database, and then either sends one message or, coupled, calls every third party
// itself.
//
// # What it serves
//
//	POST   /pay                 pays one order, see PayRequest
//	POST   /load                starts a load, see LoadRequest; answers its LoadStatus
//	GET    /load/{id}           LoadStatus
//	DELETE /load/{id}           stops it; orders being paid end first
//	GET    /load/{id}/samples   raw pay latencies in the form of evidence.WriteSamples: series pay_ms, scheduled_ms, failed
//	GET    /orders[?load=id]    every paid order, NDJSON of ledger.Order
//	GET    /healthz             200 once it serves
//
// # How it is fair
//
// A load is open: its arrival times are drawn beforehand from a seeded Poisson process, and an order's latency counts from
// the time it was due, not from when a busy shop got round to it. So a stalled shop shows its stall in every order that was
// due meanwhile. The decoupled shop knows nothing but the producer binding; the coupled one calls the third parties one
// after another with a timeout, as a shop without a message broker does.
//
// # Invariants
//
//   - Paying waits for the database and, Sync, for the broker; in coupled mode for the third parties; for nothing else.
//   - What the sender was told of each order is kept as it was told: Accepted, Failed, Unknown, or Pending until then. Of a
//     oneway send it is told only that the message left.
//   - The number of orders is bounded; above it a load is refused.
//
// # Limits
//
// The database runs with synchronous=NORMAL: it survives the death of the shop, and the loss of the last commits only when
// the machine dies. What the sender was told lives in memory.
package shop
