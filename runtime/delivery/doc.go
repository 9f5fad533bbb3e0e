// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package delivery stands between the consumer, which moves messages, and the handler, which acts on them:
//
//	recover → is it to be skipped? → is it too late to ask again? → can the body be decoded? → is it too old to be of use? → handler → when, or whether, it is tried again
//
// The retry plan is worker.Retry's: the consumer rounds a delay up to one of the broker's levels, all of the plan's are. A third party's Retry-After
// makes a delay longer, never shorter, and does not use up the plan. What comes back as Park has not been tried, and passes unchanged.
//
// An attempt counts when the broker counted it. So a message that was in flight when its pod died comes again as the same attempt; adapters that can
// ask what became of it do. Where order is kept
// (orderkey.go) the consumer counts, in the message's lane, and a delay is what was asked for.
package delivery
