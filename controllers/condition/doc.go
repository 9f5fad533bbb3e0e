// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package condition makes the conditions of a status out of the results of a reconcile.
//
//	results of the steps ──Of──────▶ one domain condition each (TopicReady, BrokerReady, …)
//	        │
//	        └──────────────Summary─▶ Ready, Reconciling, Stalled
//
// The three of Summary follow kstatus, so that kubectl wait, Flux and Argo CD understand every kind:
//
//	worst result   Ready     Reconciling   Stalled
//	done           True      False         False
//	waiting        False     True          False
//	unknown        Unknown   True          False
//	stalled        False     False         True
//
// Invariants: each condition carries the generation it speaks of; a fact that could not be read is Unknown, never the value it had before;
// the transition time moves only with the status; and all three are always there, so that a script may wait for any of them.
package condition
