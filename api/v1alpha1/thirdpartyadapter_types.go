// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ThirdPartyAdapterSpec says how a third party is called, and what it can take. The limits are those of the whole account: every pod of
// every group that refers to the adapter shares them.
// +kubebuilder:validation:XValidation:rule="!has(self.quota)",message="quota is not available in this version: use rateLimit"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || !isURL(self.url) || url(self.url).getScheme() == 'https'",message="tls is for https: give an https url, or remove tls"
// +kubebuilder:validation:XValidation:rule="!has(self.auth) || self.auth.type != 'MTLS' || !isURL(self.url) || url(self.url).getScheme() == 'https'",message="a client certificate is shown over https only: give an https url, or use another auth type"
// +kubebuilder:validation:XValidation:rule="!has(self.circuitBreaker.slowRequestDuration) || duration(self.circuitBreaker.slowRequestDuration) < duration(self.timeout)",message="circuitBreaker.slowRequestDuration is shorter than timeout: what takes as long as the timeout fails as it is"
type ThirdPartyAdapterSpec struct {
	// url of the third party, http or https. A handler's path is appended to its path.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="url is an absolute http or https URL, for example https://api.example.com/sms"
	// +kubebuilder:validation:XValidation:rule="!isURL(self) || (!self.contains('@') && !self.contains('#') && !self.contains('?'))",message="url has no user, query or fragment: credentials belong in spec.auth"
	// +kubebuilder:validation:XValidation:rule="!isURL(self) || [url(self).getHostname()].all(h, isIP(h) ? ip(h).isGlobalUnicast() && !['0.0.0.0/8', '192.0.0.0/24', '240.0.0.0/4', 'fec0::/10', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16', 'fd00:ec2::254/128', 'fd20:ce::254/128', '100.100.100.200/32', '168.63.129.16/32'].exists(n, cidr(n).containsIP(h)) : !h.contains(':') && !h.matches('(?i)^((.*[.])?localhost|metadata|metadata[.]google[.]internal)[.]?$') && !h.matches('(?i)(^|[.])(0x[0-9a-f]*|[0-9]+)[.]?$'))",message="url must not point to a loopback, link-local or metadata address, nor to another that is reserved: a third party has an address of its own"
	URL string `json:"url,omitempty"`

	// auth is how OrderFlow authenticates. Unset: not at all.
	// +optional
	Auth *Auth `json:"auth,omitempty"`

	// timeout bounds one request, connection set-up included, 10ms to 60s.
	// Default: 3s.
	// +optional
	// +default="3s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10ms') && duration(self) <= duration('60s')",message="timeout lies between 10ms and 60s"
	Timeout metav1.Duration `json:"timeout,omitzero"`

	// retry repeats a failed request at once, within one attempt of the message.
	// +optional
	// +default={}
	Retry RequestRetry `json:"retry,omitzero"`

	// circuitBreaker stops calling a third party that fails; its messages wait in the broker.
	// +optional
	// +default={}
	CircuitBreaker CircuitBreaker `json:"circuitBreaker,omitzero"`

	// rateLimit of the whole account. Unset: none.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`

	// quota of the whole account over a long period. Unset: none.
	// +optional
	Quota *Quota `json:"quota,omitempty"`

	// concurrency is the number of requests the whole account may have in flight. Unset: none but the groups' own.
	// +optional
	Concurrency *AdapterConcurrency `json:"concurrency,omitempty"`

	// response says when an answer is a success. Unset: every 2xx.
	// +optional
	Response *ResponseRules `json:"response,omitempty"`

	// idempotency says what the third party does with a key it has seen before.
	// +required
	Idempotency IdempotencyContract `json:"idempotency,omitzero"`

	// tls towards the third party.
	// +optional
	TLS *AdapterTLS `json:"tls,omitempty"`

	// suspend suspends every group that uses the adapter, as their own suspend does, for a maintenance window of the provider: whatever else they call, none of their messages
	// begins to be handled, and no attempt is counted. The condition Drained says when nothing of any of them runs or is about to come any more. Unset: false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// RequestRetry repeats a failed request at once, within one attempt of the message, with jittered delays. Only failures that may pass are repeated:
// timeouts, connection errors, 429 and 5xx.
type RequestRetry struct {
	// maxAttempts counts the first request too. 1: no repetition.
	// Default: 2.
	// +optional
	// +default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	MaxAttempts int32 `json:"maxAttempts,omitempty"`
	// initialDelay before the first repetition; each further one doubles it, give or take a quarter.
	// Default: 100ms.
	// +optional
	// +default="100ms"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('5s')",message="retry.initialDelay lies between 1ms and 5s: longer waits are the group's retry, in the broker"
	InitialDelay metav1.Duration `json:"initialDelay,omitzero"`
	// budgetPercentage bounds repetitions in the long run: so many of a hundred requests may be repeated, and ten more (or circuitBreaker.minimumRequests, if
	// that is more) in reserve. What is not repeated is retried by the group, in the broker. So a third party that begins to fail does not get a multiple of
	// the usual load.
	// Default: 20.
	// +optional
	// +default=20
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	BudgetPercentage int32 `json:"budgetPercentage,omitempty"`
}

// CircuitBreaker stops calling a third party that fails. While the circuit is open no message is handed out and no attempt is counted. Every pod has a
// circuit of its own; once it closes again the pod's limits come back over two seconds, beginning with a sixteenth.
type CircuitBreaker struct {
	// failurePercentage at which the circuit opens, of the requests in the window.
	// Default: 50.
	// +optional
	// +default=50
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	FailurePercentage int32 `json:"failurePercentage,omitempty"`
	// minimumRequests the window has to hold before it is judged. As many failures in a row open the circuit whatever else is in the window.
	// Default: 10.
	// +optional
	// +default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinimumRequests int32 `json:"minimumRequests,omitempty"`
	// window of time whose requests are judged, 1s to 5m.
	// Default: 10s.
	// +optional
	// +default="10s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('5m')",message="circuitBreaker.window lies between 1s and 5m"
	Window metav1.Duration `json:"window,omitzero"`
	// openDuration is how long the circuit stays open before one request is let through as a probe, 100ms to 1m. Each probe that fails doubles it, up to
	// 1.5s, or 15s in an outage of more than ten minutes; a longer openDuration stays as it is. A Retry-After of the third party makes it longer, up to ten
	// minutes.
	// Default: 1s.
	// +optional
	// +default="1s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('1m')",message="circuitBreaker.openDuration lies between 100ms and 1m"
	OpenDuration metav1.Duration `json:"openDuration,omitzero"`
	// slowRequestDuration makes a slower request count as a failure for the circuit, whatever it means for its message, 1ms to 60s. Unset: only failures
	// count.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('60s')",message="circuitBreaker.slowRequestDuration lies between 1ms and 60s"
	SlowRequestDuration *metav1.Duration `json:"slowRequestDuration,omitempty"`
}

// RateLimit is requests per period, evenly spread, with a burst.
type RateLimit struct {
	// requests in one period.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Requests int32 `json:"requests,omitempty"`
	// period of time, 1s to 1h.
	// Default: 1s.
	// +optional
	// +default="1s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="rateLimit.period lies between 1s and 1h"
	Period metav1.Duration `json:"period,omitzero"`
	// burst is how many requests may come at once after a pause, over all pods. Every pod has a burst of at least 1.
	// Default: 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Burst int32 `json:"burst,omitempty"`
}

// Quota is requests per long period.
type Quota struct {
	// requests in one period.
	// +required
	// +kubebuilder:validation:Minimum=1
	Requests int64 `json:"requests,omitempty"`
	// period of time, 1h to 31d (744h).
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1h') && duration(self) <= duration('744h')",message="quota.period lies between 1h and 744h"
	Period metav1.Duration `json:"period,omitzero"`
}

// ConcurrencyMode says whether the limit on requests in flight is fixed.
// +kubebuilder:validation:Enum=Fixed;Adaptive
type ConcurrencyMode string

const (
	// ConcurrencyFixed uses the whole limit.
	ConcurrencyFixed ConcurrencyMode = "Fixed"
	// ConcurrencyAdaptive uses less where less serves as well.
	ConcurrencyAdaptive ConcurrencyMode = "Adaptive"
)

// AdapterConcurrency bounds the requests in flight of the whole account.
type AdapterConcurrency struct {
	// mode is Fixed or Adaptive. Fixed uses all of max. Adaptive lets each pod find how much of its share serves best, by trying a little more and a little
	// less again and again: where more requests in flight bring no more successes, as with a third party that queues or is overloaded, there are fewer.
	// Default: Fixed.
	// +optional
	// +default="Fixed"
	Mode ConcurrencyMode `json:"mode,omitempty"`
	// max requests in flight.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Max int32 `json:"max,omitempty"`
}

// ResponseRules say what an answer means.
type ResponseRules struct {
	// successExpression is a CEL expression, of type bool, over `response`: status (int), headers (map of string, names in lower case) and body (the
	// decoded JSON, or null if the body is none). It is asked about 2xx answers; false is a failure that may pass. Unset: every 2xx is a success.
	// Many gateways answer 200 with an error code: 'response.body.code == 0'.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	SuccessExpression string `json:"successExpression,omitempty"`

	// rules classify answers that are no success: those other than 2xx, and those whose successExpression is false or cannot be evaluated. The first that
	// matches decides; without one it is the status. A rule that cannot be evaluated, for want of a field in the answer, does not match.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Rules []ResponseRule `json:"rules,omitempty"`
}

// ResponseOutcome is what an answer means for the message.
// +kubebuilder:validation:Enum=Done;Retry;Dead;Park;KeyReused
type ResponseOutcome string

const (
	// ResponseDone means the effect is there, now or from an earlier request.
	ResponseDone ResponseOutcome = "Done"
	// ResponseRetry means a failure that may pass, without any effect. It counts as a failure for the circuit.
	ResponseRetry ResponseOutcome = "Retry"
	// ResponseDead means a refusal of the message that no repetition changes.
	ResponseDead ResponseOutcome = "Dead"
	// ResponsePark means a refusal of the account, not of the message: messages wait, no attempt is counted, and one is tried every 5 s.
	ResponsePark ResponseOutcome = "Park"
	// ResponseKeyReused means that the idempotency key was used before with another body: a dead letter with the reason KeyReused.
	ResponseKeyReused ResponseOutcome = "KeyReused"
)

// ResponseRule classifies an answer.
type ResponseRule struct {
	// whenExpression is a CEL expression, of type bool, over `response`.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	WhenExpression string `json:"whenExpression,omitempty"`
	// outcome for the message: Done, the effect is there; Retry, it is not, and may be asked for again; Dead, it never will be; Park, the account is refused
	// rather than the message (it is locked, or its balance is used up), so messages wait; KeyReused, the idempotency key was used before with another
	// body, so it is a dead letter of that reason. With keys Honoured, a 422 whose body speaks of idempotency means KeyReused without a rule.
	// +required
	Outcome ResponseOutcome `json:"outcome,omitempty"`
}

// KeySupport says what a third party does with an idempotency key it has seen before.
// +kubebuilder:validation:Enum=Honoured;Ignored
type KeySupport string

const (
	// KeyHonoured means a second request with the same key has no second effect.
	KeyHonoured KeySupport = "Honoured"
	// KeyIgnored means every request has an effect.
	KeyIgnored KeySupport = "Ignored"
)

// DuplicatePolicy says what to do where a request may have had its effect and asking again may repeat it.
// +kubebuilder:validation:Enum=Accept;Refuse
type DuplicatePolicy string

const (
	// DuplicatesAccept sends again: the effect can happen twice.
	DuplicatesAccept DuplicatePolicy = "Accept"
	// DuplicatesRefuse makes it a dead letter, for a person to decide.
	DuplicatesRefuse DuplicatePolicy = "Refuse"
)

// IdempotencyContract says what the third party does with a key it has seen before.
// +kubebuilder:validation:XValidation:rule="self.keys == 'Honoured' || has(self.duplicates) || has(self.statusQuery)",message="the third party ignores idempotency keys: say with idempotency.statusQuery how it is asked what became of a request, or with idempotency.duplicates whether a request of unknown fate is sent again (Accept) or becomes a dead letter (Refuse)"
type IdempotencyContract struct {
	// keys is Honoured or Ignored.
	// +required
	Keys KeySupport `json:"keys,omitempty"`

	// header that carries the key.
	// Default: Idempotency-Key.
	// +optional
	// +default="Idempotency-Key"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="a header name consists of letters, digits and '-'"
	Header string `json:"header,omitempty"`

	// window is how long the third party remembers a key, 1m to 720h. A message that was attempted before and is older is a dead letter
	// (IdempotencyWindowPassed), unless statusQuery tells what became of it or duplicates are accepted.
	// Default: 24h.
	// +optional
	// +default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="idempotency.window lies between 1m and 720h"
	Window metav1.Duration `json:"window,omitzero"`

	// duplicates is Accept or Refuse. Unset: Refuse, where keys are Honoured or there is a statusQuery. With a statusQuery it says what is done where that
	// tells neither: Accept sends again, Refuse asks again at the next attempt.
	// +optional
	Duplicates DuplicatePolicy `json:"duplicates,omitempty"`

	// statusQuery asks the third party whether an earlier request had its effect. It is made where an attempt went before and keys are Ignored, or it is
	// longer ago than window: done, and the step is done; absent, and the request is made. Unset: nobody is asked.
	// +optional
	StatusQuery *StatusQuery `json:"statusQuery,omitempty"`
}

// StatusQuery is a GET request that tells whether an earlier one had its effect. It goes through circuit and limits like any other, without the key's header.
type StatusQuery struct {
	// pathExpression is a CEL expression, of type string, over `key` (the idempotency key), `order` and `message`: '"/messages/" + key'. It is appended to
	// url, begins with '/', and has no query: that is parametersExpression.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	PathExpression string `json:"pathExpression,omitempty"`
	// parametersExpression is a CEL expression, of type map, over the same: the parameters of the URL's query, as in '{"requestId": key}'. Unset: none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	ParametersExpression string `json:"parametersExpression,omitempty"`
	// doneExpression is a CEL expression, of type bool, over `response`: the effect happened. It and absentExpression are asked about every answer, whatever
	// its status; one that cannot be evaluated is false. Where neither is true, or both are, nothing is known.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	DoneExpression string `json:"doneExpression,omitempty"`
	// absentExpression is a CEL expression, of type bool, over `response`: it did not, and may be asked for again.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	AbsentExpression string `json:"absentExpression,omitempty"`
}

// TLSVersion is a version of TLS.
// +kubebuilder:validation:Enum=TLS12;TLS13
type TLSVersion string

const (
	// TLS12 is TLS 1.2 (RFC 5246).
	TLS12 TLSVersion = "TLS12"
	// TLS13 is TLS 1.3 (RFC 8446).
	TLS13 TLSVersion = "TLS13"
)

// AdapterTLS configures TLS towards the third party. Its certificate is always verified. A client certificate is auth type MTLS.
type AdapterTLS struct {
	// caSecretRef names a Secret whose key `ca.crt` holds the certificates to trust, as PEM; it needs the label orderflow.dev/credential=true. It may be
	// the Secret of auth.mtls. Pods take others over while they run. Unset: the public roots. A token endpoint (auth.oauth2) at another host than url's may
	// have a certificate of the public roots, too.
	// +optional
	CASecretRef *LocalObjectReference `json:"caSecretRef,omitempty"`
	// serverName is the name the certificate of url's host is issued for, and which the third party is told (SNI). Unset: url's host.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?([.][A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$')",message="tls.serverName is a host name, for example api.example.com"
	ServerName string `json:"serverName,omitempty"`
	// minVersion is the oldest version of TLS that is spoken.
	// Default: TLS12.
	// +optional
	// +default="TLS12"
	MinVersion TLSVersion `json:"minVersion,omitempty"`
}

// CircuitState is the state of a circuit breaker.
// +kubebuilder:validation:Enum=Closed;HalfOpen;Open;Unknown
type CircuitState string

const (
	// CircuitClosed means requests flow.
	CircuitClosed CircuitState = "Closed"
	// CircuitHalfOpen means single requests probe whether the third party is back.
	CircuitHalfOpen CircuitState = "HalfOpen"
	// CircuitOpen means no request is made.
	CircuitOpen CircuitState = "Open"
	// CircuitUnknown means no pod could be asked.
	CircuitUnknown CircuitState = "Unknown"
)

// AdapterShare is what one pod of the groups that use the adapter may use of the account's limits: the limit divided by the most pods
// there can be.
type AdapterShare struct {
	// pods is the sum of replicas or maxReplicas of all groups that refer to the adapter.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Pods int32 `json:"pods"`
	// requestsPerSecond of one pod, as a decimal number. Empty: no rate limit.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	RequestsPerSecond string `json:"requestsPerSecond,omitempty"`
	// concurrency of one pod. 0: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Concurrency int32 `json:"concurrency,omitempty"`
}

// ThirdPartyAdapterStatus is what the pods report of the third party.
type ThirdPartyAdapterStatus struct {
	// conditions are Ready, Reconciling, Stalled, ThirdPartyDown; of an adapter with a client certificate, CertificateExpiring; of one that is suspended, Drained. The reasons are
	// listed with the constants of this API.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// observedGeneration is the generation of the spec this status speaks of. -1: nobody has looked at the object yet.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the value of the annotation orderflow.dev/reconcile-at that was last acted upon.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// circuit over all pods of all groups: Open if it is open anywhere.
	// +optional
	Circuit CircuitState `json:"circuit,omitempty"`

	// lastError is the last failure a pod reported, without any data of the order.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	LastError string `json:"lastError,omitempty"`
	// lastErrorTime is when it happened.
	// +optional
	LastErrorTime *metav1.Time `json:"lastErrorTime,omitempty"`

	// consumerGroups are the MQConsumerGroups that refer to the adapter, sorted.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=63
	ConsumerGroups []string `json:"consumerGroups,omitempty"`

	// share of one pod.
	// +optional
	Share *AdapterShare `json:"share,omitempty"`
}

// ThirdPartyAdapter says how a third party is called and protected: endpoint, authentication, timeout, retry, circuit breaker, limits of the whole
// account, and what it does with idempotency keys.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=tpa,categories=orderflow-dev
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Circuit",type=string,JSONPath=`.status.circuit`
// +kubebuilder:printcolumn:name="Groups",type=string,JSONPath=`.status.consumerGroups`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="URL",type=string,priority=1,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="the name of a ThirdPartyAdapter has at most 63 characters: lower-case letters, digits and '-'; it names a volume of the pods"
type ThirdPartyAdapter struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what is wanted.
	// +required
	Spec ThirdPartyAdapterSpec `json:"spec,omitzero"`
	// status is what was seen.
	// +optional
	// +default={"observedGeneration":-1}
	// +structType=atomic
	Status ThirdPartyAdapterStatus `json:"status,omitzero"`
}

// ThirdPartyAdapterList is a list of ThirdPartyAdapters.
// +kubebuilder:object:root=true
type ThirdPartyAdapterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ThirdPartyAdapter `json:"items"`
}
