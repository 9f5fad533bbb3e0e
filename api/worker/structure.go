// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

// Version is the version of Structure and Live that this code writes and reads. A worker refuses any other. It must be raised whenever a worker of the release before
// would refuse or misread what the operator writes: the structure then is another one, so that the pods are replaced, with the image that reads it. Of the same version
// a Live may have fields that a worker does not know and passes over; a Structure may not, but for those that are left out where what they are for is not used, as
// BrokerTLS is: pods that get one are replaced anyway.
//
// 2: Live has the templates of requests; a worker of version 1 refuses fields it does not know.
const Version = 2

// Structure is what cannot change under a running pod.
type Structure struct {
	// Version is Version.
	Version int `json:"version"`
	// Namespace and Name of the MQConsumerGroup, for logs, metrics and the sync certificate.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`

	// NameServers are host:port; host names are resolved on every connection.
	NameServers []string `json:"nameServers"`
	// ACL says that BrokerDir holds credentials.
	ACL bool `json:"acl,omitempty"`
	// BrokerTLS is how name servers and brokers are spoken to; nil: in plain text.
	BrokerTLS *BrokerTLS `json:"brokerTLS,omitempty"`
	// Group and Topic on the broker.
	Group string `json:"group"`
	Topic string `json:"topic"`
	// TagExpression is "*" or tags joined by "||". Empty where there is a SQLExpression, a SQL92 condition over properties.
	TagExpression string `json:"tagExpression,omitempty"`
	SQLExpression string `json:"sqlExpression,omitempty"`

	// Mode is Push or Pull.
	Mode Mode `json:"mode"`
	// Broadcasting gives every pod every message.
	Broadcasting bool `json:"broadcasting,omitempty"`
	// MaxUncommitted messages per queue.
	MaxUncommitted int `json:"maxUncommitted"`
	// Concurrency is the number of messages handled at once.
	Concurrency int `json:"concurrency"`
	// TerminationGrace is how long calls in flight may take to end when the pod stops.
	TerminationGrace Duration `json:"terminationGrace"`

	// OrderKeyExpression is CEL for the key whose messages are handled in order. Empty: all are handled side by side.
	OrderKeyExpression string `json:"orderKeyExpression,omitempty"`
	// KeyExpression is CEL for the business key. Empty: order id and event type, else the message's unique key.
	KeyExpression string `json:"keyExpression,omitempty"`
	// Retry plan between attempts of a message.
	Retry Retry `json:"retry"`
	// Expiry says when a message is too old to be handled. Nil: never.
	Expiry *Expiry `json:"expiry,omitempty"`
	// Handler says what is done with a message: by these templates until a Live has others.
	Handler Handler `json:"handler"`
	// Shadow: requests are logged, with the order's values left out, and not made.
	Shadow bool `json:"shadow,omitempty"`
	// Adapters the handler refers to, by name.
	Adapters []Adapter `json:"adapters"`
	// PrivateNetworks are CIDRs inside private ranges that third parties may live in; all other private addresses are refused when dialled.
	PrivateNetworks []string `json:"privateNetworks,omitempty"`
}

// BrokerTLS is TLS with name servers and brokers, whose certificates are verified.
type BrokerTLS struct {
	// CA: BrokerTLSDir holds the certificates to trust, instead of the public roots.
	CA bool `json:"ca,omitempty"`
	// ServerName the certificates are issued for. Empty: who is dialled.
	ServerName string `json:"serverName,omitempty"`
}

// Mode says who sets the pace between broker and handler.
type Mode string

// The modes.
const (
	ModePush Mode = "Push"
	ModePull Mode = "Pull"
)

// Retry is the plan between attempts of a message.
type Retry struct {
	// MaxAttempts counts the first too.
	MaxAttempts int `json:"maxAttempts"`
	// MaxDuration cuts the plan where its delays add up to this.
	MaxDuration Duration `json:"maxDuration"`
}

// Expiry is when a message is too old to be of use.
type Expiry struct {
	// After is the age beyond which it is.
	After Duration `json:"after"`
	// SinceExpression is CEL for the time from which age is counted.
	SinceExpression string `json:"sinceExpression"`
}

// Adapter is the part of a third party that cannot change under a running pod.
type Adapter struct {
	Name string `json:"name"`
	// URL to which a step's path is appended.
	URL string `json:"url"`
	// Auth, or nil for none.
	Auth *Auth `json:"auth,omitempty"`
	// TLS, or nil for https as usual.
	TLS *TLS `json:"tls,omitempty"`
	// SuccessExpression is CEL over response. Empty: every 2xx is a success.
	SuccessExpression string `json:"successExpression,omitempty"`
	// ResponseRules classify answers that are no success, the first that matches decides.
	ResponseRules []ResponseRule `json:"responseRules,omitempty"`
	// Idempotency contract.
	Idempotency Idempotency `json:"idempotency"`
}

// ResponseRule says what an answer means for which its expression, CEL over response, is true.
type ResponseRule struct {
	WhenExpression string          `json:"whenExpression"`
	Outcome        ResponseOutcome `json:"outcome"`
}

// ResponseOutcome is what an answer means; the values are v1alpha1's.
type ResponseOutcome string

// The outcomes.
const (
	ResponseDone      ResponseOutcome = "Done"
	ResponseRetry     ResponseOutcome = "Retry"
	ResponseDead      ResponseOutcome = "Dead"
	ResponsePark      ResponseOutcome = "Park"
	ResponseKeyReused ResponseOutcome = "KeyReused"
)

// AuthType selects how a worker authenticates; the values are v1alpha1's.
type AuthType string

// The ways to authenticate.
const (
	AuthBasic  AuthType = "Basic"
	AuthBearer AuthType = "Bearer"
	AuthAPIKey AuthType = "APIKey"
	AuthHMAC   AuthType = "HMAC"
	AuthOAuth2 AuthType = "OAuth2"
	AuthMTLS   AuthType = "MTLS"
)

// Auth is how to authenticate; the secret values are in AdaptersDir/<adapter>/.
type Auth struct {
	Type AuthType `json:"type"`
	// In is Header or Query, for APIKey; Header or Body, for OAuth2.
	In string `json:"in,omitempty"`
	// Name of the header or query parameter, for APIKey.
	Name string `json:"name,omitempty"`
	// SignatureHeader, TimestampHeader and KeyIDHeader, for HMAC.
	SignatureHeader string `json:"signatureHeader,omitempty"`
	TimestampHeader string `json:"timestampHeader,omitempty"`
	KeyIDHeader     string `json:"keyIDHeader,omitempty"`
	// TokenURL and Scopes, for OAuth2.
	TokenURL string   `json:"tokenURL,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
}

// TLS is how https is spoken with a third party.
type TLS struct {
	// CA: AdaptersDir/<adapter>/ holds the certificates to trust, instead of the public roots.
	CA bool `json:"ca,omitempty"`
	// ServerName the certificate is issued for. Empty: the URL's host.
	ServerName string `json:"serverName,omitempty"`
	// MinVersion is the oldest version that is spoken.
	MinVersion TLSVersion `json:"minVersion,omitempty"`
}

// TLSVersion is a version of TLS; the values are v1alpha1's.
type TLSVersion string

// The versions.
const (
	TLS12 TLSVersion = "TLS12"
	TLS13 TLSVersion = "TLS13"
)

// Idempotency is what the third party does with a key it has seen before.
type Idempotency struct {
	// KeysHonoured: a second request with the same key has no second effect.
	KeysHonoured bool `json:"keysHonoured"`
	// Header that carries the key.
	Header string `json:"header"`
	// Window for which the third party remembers a key.
	Window Duration `json:"window"`
	// AcceptDuplicates: send again although the effect may happen twice.
	AcceptDuplicates bool `json:"acceptDuplicates,omitempty"`
	// StatusQuery asks whether an earlier request had its effect. Nil: there is none.
	StatusQuery *StatusQuery `json:"statusQuery,omitempty"`
}

// StatusQuery is a GET request that tells whether an earlier one had its effect. All are CEL.
type StatusQuery struct {
	PathExpression string `json:"pathExpression"`
	// ParametersExpression is for the query of the URL. Empty: none.
	ParametersExpression string `json:"parametersExpression,omitempty"`
	DoneExpression       string `json:"doneExpression"`
	AbsentExpression     string `json:"absentExpression"`
}
