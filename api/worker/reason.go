// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

// Reasons for which a pod is parked, as SyncResponse.ParkedReason and AdapterReport.LastError name them.
const (
	// ReasonCircuitOpen: the third party fails.
	ReasonCircuitOpen = "CircuitOpen"
	// ReasonRateLimited: the pod's rate admits no request within a second.
	ReasonRateLimited = "RateLimited"
	// ReasonCredentialMissing: the Secret's file is not there or not usable.
	ReasonCredentialMissing = "CredentialMissing"
	// ReasonCredentialRefused: the third party does not take the account's credential.
	ReasonCredentialRefused = "CredentialRefused"
	// ReasonTokenUnavailable: the token endpoint gives no token.
	ReasonTokenUnavailable = "TokenUnavailable"
	// ReasonAccountRefused: a response rule says that the account is refused rather than the message.
	ReasonAccountRefused = "AccountRefused"
	// ReasonAddressRefused: the URL's host has an address third parties may not have.
	ReasonAddressRefused = "AddressRefused"
	// ReasonNothingThere: the URL leads nowhere.
	ReasonNothingThere = "NothingThere"
	// ReasonDeadLetterRefused: a dead letter cannot be written.
	ReasonDeadLetterRefused = "DeadLetterRefused"
	// ReasonSuspended: the group is suspended.
	ReasonSuspended = "Suspended"
	// ReasonAdapterSuspended: a third party that the group calls is.
	ReasonAdapterSuspended = "AdapterSuspended"
)

// Reasons of a dead letter whose effect nobody knows of.
const (
	// ReasonFateUnknown: a request was sent, and what became of it is not known.
	ReasonFateUnknown = "FateUnknown"
	// ReasonCrashLoop: workers died on it again and again, with a request under way or not.
	ReasonCrashLoop = "CrashLoop"
)
