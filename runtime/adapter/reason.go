// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Reasons of Retry: failures that may pass. With one of them a probe parks.
const (
	// Timeout: no whole answer within the adapter's timeout.
	Timeout outcome.Reason = "Timeout"
	// ConnectionFailed: no connection, or it broke before the whole answer.
	ConnectionFailed outcome.Reason = "ConnectionFailed"
	// TooManyRequests: 429; Retry-After is honoured.
	TooManyRequests outcome.Reason = "TooManyRequests"
	// ServerError: 5xx, and the 4xx that say "later" (408, 425).
	ServerError outcome.Reason = "ServerError"
	// CredentialRefused: 401, 402, 403 or 407. It is not the message's fault: the circuit opens, and messages wait for an account that may.
	CredentialRefused outcome.Reason = worker.ReasonCredentialRefused
	// KeyInUse: 409 of a third party that honours keys: it is at work on a request with the same key.
	KeyInUse outcome.Reason = "KeyInUse"
	// ResponseRejected: 2xx, but the success expression says no, or a rule says Retry.
	ResponseRejected outcome.Reason = "ResponseRejected"
	// ResponseUnreadable: 2xx, but the success expression cannot be evaluated on the answer.
	ResponseUnreadable outcome.Reason = "ResponseUnreadable"
	// ResponseTooLarge: 2xx, but the body the success expression asks for is larger than 1 MiB.
	ResponseTooLarge outcome.Reason = "ResponseTooLarge"
)

// Reasons of Dead.
const (
	// RequestRefused: any other 4xx, or a rule says Dead.
	RequestRefused outcome.Reason = "RequestRefused"
	// KeyReused: the third party knows the idempotency key from a request with another body, or a rule says so.
	KeyReused outcome.Reason = "KeyReused"
	// Redirected: 3xx.
	Redirected outcome.Reason = "Redirected"
	// FateUnknown: the request was sent and may have had its effect; the third party ignores keys, and duplicates are refused.
	FateUnknown outcome.Reason = worker.ReasonFateUnknown
)

// Reasons of Park.
const (
	// CircuitOpen: the third party fails; one probe at a time finds out whether it is back.
	CircuitOpen outcome.Reason = worker.ReasonCircuitOpen
	// RateLimited: this pod's rate admits no request within a second.
	RateLimited outcome.Reason = worker.ReasonRateLimited
	// CredentialMissing: the Secret's file is not there or not usable.
	CredentialMissing outcome.Reason = worker.ReasonCredentialMissing
	// AddressRefused: the URL's host has an address third parties may not have.
	AddressRefused outcome.Reason = worker.ReasonAddressRefused
	// TokenUnavailable: the token endpoint gives no token, without which nobody can be asked.
	TokenUnavailable outcome.Reason = worker.ReasonTokenUnavailable
	// AccountRefused: a rule says Park: the third party refuses the account, whatever the message.
	AccountRefused outcome.Reason = worker.ReasonAccountRefused
	// NothingThere: 404 or 405, several in a row, at a step of which nothing ever succeeded: the URL is wrong.
	NothingThere outcome.Reason = worker.ReasonNothingThere
	// Stopping: the caller's context ended.
	Stopping outcome.Reason = "Stopping"
)
