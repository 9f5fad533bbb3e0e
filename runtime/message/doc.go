// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package message is a RocketMQ message as handlers and expressions see it: an order that was paid, an identity that stays the same over retries, and
// the number of this attempt.
//
// The body is decoded once, when it is first asked for. The identity is the one the sender's client gave the message (UNIQ_KEY); where it gave none, the
// id under which the broker first stored it (ORIGIN_MESSAGE_ID, once it was sent back).
//
// A CloudEvent is accepted in both modes of the RocketMQ binding, told by its properties alone: structured, the body a document of the type
// application/cloudevents+json, or binary, the attributes in properties ce_…. Its data is the order. Other messages pay one look at their properties.
//
// Key makes the idempotency key that goes out with a request. It depends on group, business key and step only, so that every attempt carries the same
// one, whichever pod makes it, and no two effects share one.
package message
