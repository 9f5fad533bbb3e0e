// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package evidence writes down what was measured so that anybody can compute the figures again.
//
// A target that measures, say `make demo`, makes a Recorder, gives it raw samples by series and defines each figure as a
// formula over them, with its goal. Write computes the figures and writes two files:
//
//	out/<target>.json         {"target","commit","command","machine","figures":{name: number},"detail":{…}}
//	out/<target>.samples.gz   the raw samples: NDJSON, {"series":"pay_healthy_ms","values":[…]} per line
//
// detail holds the formulas, goals and spreads, and what else the target noted. Read computes every figure again from the
// samples; a figure whose samples are missing has none, and Table prints "no samples". A figure is never typed in.
//
// # Formulas
//
// Formulas and goals are CEL. In a formula these functions take a series by its name: count, total, mean, median, smallest,
// largest, and quantile("series", 0.99). All numbers are doubles: write 2.0, not 2. A formula is a number, or a list of
// numbers, one for each round: then the figure is the median of the rounds, and detail has their spread. A goal is a
// condition on the figure x:
//
//	quantile("pay_slow_1_ms", 0.99) / quantile("pay_healthy_1_ms", 0.99)       goal: x <= 1.1
package evidence
