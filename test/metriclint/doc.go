// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metriclint judges the metrics of a registry: their names, help texts and labels, that a run has made each of them, that their series do not
// grow with the orders, and that docs/metrics.md lists them as they are.
//
// A metric is called orderflow_<noun>_<unit>; what promlint says holds too. A label is one of a short list: whose values are few, and come from
// the user's configuration or from constants in the code, never from a message or an answer. Whoever needs another label adds it there, with the reason why
// its values are few.
package metriclint
