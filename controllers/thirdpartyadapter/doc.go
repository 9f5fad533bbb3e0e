// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package thirdpartyadapter looks after ThirdPartyAdapters: whether one can be used as it is declared, who uses it, what one pod may take of the
// account's limits, and how the third party is as the pods see it. It creates nothing and calls no third party: only workers do.
//
//	Secrets ───────────────────────────▶ usable or not; until when a client certificate lasts
//	expressions ─▶ internal/expression ▶ the worker's own compiler says yes or no
//	MQConsumerGroups ──────────────────▶ who refers to it, share of one pod
//	reports of the pods ───────────────▶ circuit, last error, ThirdPartyDown
//
// Ready says that the adapter may be used; ThirdPartyDown that the third party does not answer. An adapter is Ready while its third party is
// down: nothing has to be changed, messages wait in the broker. It is not while pods report what only a person can put right: an address they
// may not call, or a credential that is missing or refused.
// An adapter that is suspended stays Ready, and Drained sums up what the groups that use it say of themselves.
// CertificateExpiring says in time that a client certificate is to be renewed.
//
// Limits: pods that are gone take what they reported with them; the last error is kept in the status.
package thirdpartyadapter
