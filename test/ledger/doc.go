// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ledger is the judge of every experiment: did each paid order have each of its effects, once?
//
// Judge compares what the order system's database says was paid with what the third-party stubs say was done, by order id
// and step. It knows nothing of OrderFlow's own metrics or status, and it is a pure function, so it can be judged itself:
// its tests plant losses and duplicates of every kind.
//
// # Terms
//
//   - A step is lost for an order when no call of it was accepted and no dead letter with a reason accounts for it.
//   - A duplicate is a call of a step that was accepted beyond the first for its order; a duplicate effect is an effect
//     beyond the first.
//   - An order never arrived when none of its steps left any trace. If its sender was told that sending had failed, or
//     that its fate is unknown, that is a reported loss; if the sender was told nothing, or that all was well, it is an
//     unreported one: the kind that must not exist.
package ledger
