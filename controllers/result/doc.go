// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package result says how a reconcile, or one step of it, ended, and turns that into what the queue is told.
//
// A step is done, or it ends in one of three ways:
//
//	Wait    on the way, nobody has to help     Reconciling   look again after a time the step names
//	Stall   somebody has to change something   Stalled       look again at the regular interval
//	Fail    a fact could not be read or set    Unknown       look again with growing pauses
//
// A controller gathers the results of its steps in the order of their importance. Package condition makes conditions of that list, and
// Reconcile the answer to the queue; neither is done anywhere else, so what a user reads and when OrderFlow looks again cannot disagree.
//
// Nothing here is ever final: a Stalled object is looked at again, since what stalls it (a Secret, a topic on the broker) may change
// without an event.
package result
