// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package stub is the third parties of tests and the demo: one HTTP server that plays an SMS gateway, a logistics company,
// a loyalty-points account and a coupon service, each of which can be made slow, sick or dead over HTTP.
//
// # What it serves
//
//	POST /sms/send, /logistics/waybill, /logistics/shipment, /points/credit, /coupons/grant
//	GET, PUT /control/{provider} and /control/{provider}/{action}   behaviour of a provider, or of one of its actions
//	GET  /calls[?provider=sms]   every recorded call, NDJSON
//	GET  /stats                  counts per action
//	POST /reset                  forgets calls and effects, and every action is healthy as in the beginning
//
// A provider call is a JSON object that names its order, as "orderId", "order": {"id": …} or, as a message's template has
// it, "parameters": {"orderId": …}, and may carry an Idempotency-Key header. The answer of a healthy action is 200 {"code":"OK","id":"…","duplicate":false}.
//
// # How it judges
//
// A call is accepted when the provider did its work for it, whether or not the caller was still there to read the answer.
// An accepted call has an effect, unless the provider honours keys and has seen the call's key before. Callers count
// duplicates from that: accepted calls per order and action beyond the first, and effects beyond the first.
//
// # Invariants
//
//   - What is accepted is recorded before it is answered. A stub that has no room to record answers 507 and accepts
//     nothing, so that its calls are always the whole truth.
//   - Latency is drawn from a seeded log-normal distribution around a median.
//   - The limit in calls per second is the account's: all actions of one provider share it.
//
// # Limits
//
// A dead provider (mode "down") resets connections: its port is shared with the healthy ones, so it cannot be closed.
package stub
