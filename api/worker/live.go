// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

// Live is what changes under a running pod: the limits and timeouts of its adapters, the templates that make requests of messages, messages that are not to be
// handled, and whether any are.
type Live struct {
	// Version is Version.
	Version int `json:"version"`
	// Revision names this content; pods report the one they run with.
	Revision string `json:"revision"`
	// Adapters by name; one for each of the Structure's.
	Adapters []AdapterLimits `json:"adapters"`
	// Handler has the templates of requests. Nil: nothing new. One that is not alike the Structure's is for pods of another Structure.
	Handler *Handler `json:"handler,omitempty"`
	// SkipMessageIDs are the ids of messages that become dead letters without being handled.
	SkipMessageIDs []string `json:"skipMessageIds,omitempty"`
	// Suspended is why no message is fetched or handed out, ReasonSuspended or ReasonAdapterSuspended. Empty: messages flow.
	Suspended string `json:"suspended,omitempty"`
}

// AdapterLimits are one pod's limits towards a third party: its share of the account's.
type AdapterLimits struct {
	Name string `json:"name"`
	// Timeout of one request.
	Timeout Duration `json:"timeout"`
	// RequestAttempts within one attempt of the message, the first included.
	RequestAttempts int `json:"requestAttempts"`
	// RetryDelay before the second request, doubled for each further one.
	RetryDelay Duration `json:"retryDelay"`
	// RetryPercentage is how many of a hundred requests may be repeated in the long run. 0: no bound.
	RetryPercentage int `json:"retryPercentage,omitempty"`
	// Breaker opens and closes the circuit.
	Breaker Breaker `json:"breaker"`
	// RequestsPerSecond of this pod. 0: no limit.
	RequestsPerSecond float64 `json:"requestsPerSecond,omitempty"`
	// Burst of this pod, at least 1 where there is a rate.
	Burst int `json:"burst,omitempty"`
	// Concurrency is the number of requests this pod may have in flight. 0: no limit.
	Concurrency int `json:"concurrency,omitempty"`
	// Adaptive: less than Concurrency is used where that serves as well.
	Adaptive bool `json:"adaptive,omitempty"`
}

// Breaker opens a circuit when FailurePercentage of at least MinimumRequests within Window failed, or MinimumRequests in a row did; at first for
// OpenDuration.
type Breaker struct {
	FailurePercentage int      `json:"failurePercentage"`
	MinimumRequests   int      `json:"minimumRequests"`
	Window            Duration `json:"window"`
	OpenDuration      Duration `json:"openDuration"`
	// SlowRequest: a request that takes longer counts as one that failed. 0: none does.
	SlowRequest Duration `json:"slowRequest,omitempty"`
}
