// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds OrderFlow's kinds: what a team declares so that one message of its order
// system reaches every third party that has to hear of it.
//
//	OrderFlow ──owns──▶ MQConsumerGroup ──refers to──▶ ThirdPartyAdapter   (the third party)
//	    │                     │
//	    └──── refers to ──────┴──────▶ MQCluster                           (the RocketMQ cluster)
//
// The package is shapes and words only: types, defaults, CEL rules and the constants of conditions and
// reasons. It does no I/O and decides nothing.
//
// Conventions a reader may rely on:
//   - What one object shows to be wrong is refused at admission, by a CEL rule whose message says what to do.
//     What needs a second object is a Stalled condition with the same kind of sentence.
//   - A field whose feature does not exist yet is refused with "is not available in this version", never ignored.
//   - Enums over booleans, since a third choice always comes; `suspend` keeps the name users know from Job and CronJob.
//   - A field that holds CEL ends in Expression. In it `order` is the message's decoded JSON body and `message` its
//     RocketMQ attributes (see package internal/expression).
//   - The kinds' category is orderflow-dev (`kubectl get orderflow-dev`): named orderflow it would hide the kind of that name, and
//     `kubectl delete orderflow order-paid` would not know what is meant.
//   - Durations are metav1.Duration ("1m30s"). Unions have a `type` and one member per type.
//
// +kubebuilder:object:generate=true
// +groupName=orderflow.dev
package v1alpha1
