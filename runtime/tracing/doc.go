// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tracing makes OpenTelemetry spans of what a worker does, as links between the order system's span and the third party's:
//
//	producer's span ──traceparent property──▶ "process <topic>", one for each handling of a message
//	                                            └─▶ "<method> <adapter>", one for each request ──traceparent header──▶ third party
//
// Every attempt is a child of the span that sent the message, hours later too: a trace is an order's way. A message that bears no context begins a trace of
// its own. Names and attributes are those of the semantic conventions for messaging and HTTP; orderflow.outcome, orderflow.reason and
// orderflow.attempt are ours.
//
// Both kinds of spans are made by what is put around a part: around the delivery, and around an adapter's transport. A worker that does not trace has
// neither, and pays nothing.
//
// Nothing of an order is in a span: no key, path, query, header or body, and no error's text, which may quote them. Only the W3C trace context is read
// and passed on; baggage, which may hold anything, is not.
package tracing
