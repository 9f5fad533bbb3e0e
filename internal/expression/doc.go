// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package expression compiles and evaluates the CEL expressions users write: what of an order goes into a request, whether a message matters,
// whether an answer is a success. The operator compiles them before it writes a worker's files, the worker at its start; both use this package,
// so that what was accepted runs.
//
// An expression sees one of three scopes:
//
//	MessageScope   order                the JSON body of the message
//	               message.id           string, the same on every attempt
//	               message.topic        string
//	               message.tag          string, "" without one
//	               message.keys         list of string
//	               message.properties   map of string to string
//	               message.bornTime     timestamp: when it was sent
//	               message.attempt      int, from 1
//	QueryScope     key                  string, the idempotency key; and all of MessageScope
//	ResponseScope  response.status      int
//	               response.headers     map of string to string, names in lower case
//	               response.body        the JSON body, or null if it is none
//
// JSON numbers without fraction and exponent are CEL's int, all others double: order.amount / 100 divides integers where amount is one. Fields that
// may be absent are reached with has(order.phone) or order.?phone.orValue(""). Beside CEL's own functions there are those of the string
// (without replace, join and format), math and encoder extensions.
//
// Invariants:
//
//   - An expression has a bounded cost. Compile refuses what would cost too much on a large order, and evaluation stops at MaxCost whatever
//     the order looks like; so neither an expression nor an order can stall or exhaust a worker.
//   - No error contains a value of an order or an answer: it goes to logs, events and dead letters, which personal data must not reach.
//     What it names (a field, a function) stands in the expression itself.
//   - A result is plain JSON: nil, bool, int64, uint64, float64, string, []any, map[string]any.
//
// Limits: JSON documents of at most MaxDocument bytes and MaxDepth levels; integers of 64 bits; no name twice in one object.
package expression
