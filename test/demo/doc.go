// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package demo plays the experiment OrderFlow exists for, on a real cluster, in about three minutes, and says what came of it.
//
// Orders are paid at a steady rate, first coupled (the order service calls every third party itself), then decoupled (it sends one message, and
// OrderFlow's workers call them). In both, one third party is healthy, slow (SMS 100 ms → 1 s), dead, and back. At last the broker hangs for five
// seconds, as if its machine had died, and is started again while orders are sent Sync, Async and Oneway, without an outbox and with one.
//
//	act.go      the acts as data, and how one is played
//	outage.go   the broker stop
//	account.go  pure: from orders and calls to the samples behind the figures
//	figure.go   the figures, as formulas over samples, with their goals
//	screen.go   the live table
//	summary.go  what it came to, in words
//	bench.go    `make bench-demo`: the same load in shuffled rounds, for ratios with their spread
//
// Everything is judged from the order database and the stub's calls; what OrderFlow says of itself is shown, never counted.
package demo
