// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package handler does with a message what the user declared: it maps the message to requests, one step after the other, and has adapters make them.
//
// Each handler type is a folder below this one with a Steps function, and one line in kinds. All expressions are compiled by New, from the list
// api/worker gives, which is the one the operator checked.
//
// A message is done when its last step is. Any other outcome of a step is the message's, and a later attempt begins at the first step, with the same
// keys, which a third party that honours them answers without a second effect. A message that was only parked goes on where it was: a Handler
// remembers, up to a bound, how far a parked message got in this process, to spare third parties calls they need not answer.
package handler
