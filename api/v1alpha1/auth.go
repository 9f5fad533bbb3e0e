// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// AuthType selects how OrderFlow authenticates to a third party.
// +kubebuilder:validation:Enum=Basic;Bearer;APIKey;HMAC;OAuth2;MTLS
type AuthType string

const (
	// AuthBasic sends user name and password.
	AuthBasic AuthType = "Basic"
	// AuthBearer sends a token.
	AuthBearer AuthType = "Bearer"
	// AuthAPIKey sends a key in a header or the query.
	AuthAPIKey AuthType = "APIKey"
	// AuthHMAC signs the request.
	AuthHMAC AuthType = "HMAC"
	// AuthOAuth2 sends a token it gets with client credentials.
	AuthOAuth2 AuthType = "OAuth2"
	// AuthMTLS presents a client certificate.
	AuthMTLS AuthType = "MTLS"
)

// Auth is how OrderFlow authenticates to the third party. The Secret it names needs the label orderflow.dev/credential=true and the annotation
// orderflow.dev/allowed-hosts. It is mounted into the pods and read again when it changes.
// +union
// +kubebuilder:validation:XValidation:rule="self.type == 'Basic' ? has(self.basic) : !has(self.basic)",message="auth.basic is given with auth type Basic, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type == 'Bearer' ? has(self.bearer) : !has(self.bearer)",message="auth.bearer is given with auth type Bearer, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type == 'APIKey' ? has(self.apiKey) : !has(self.apiKey)",message="auth.apiKey is given with auth type APIKey, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type == 'HMAC' ? has(self.hmac) : !has(self.hmac)",message="auth.hmac is given with auth type HMAC, and only with it"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['OAuth2', 'MTLS'])",message="auth types OAuth2 and MTLS are not available in this version: use Basic, Bearer, APIKey or HMAC"
type Auth struct {
	// type selects the way.
	// +unionDiscriminator
	// +required
	Type AuthType `json:"type,omitempty"`
	// basic sends user name and password.
	// +optional
	Basic *BasicAuth `json:"basic,omitempty"`
	// bearer sends a token.
	// +optional
	Bearer *BearerAuth `json:"bearer,omitempty"`
	// apiKey sends a key.
	// +optional
	APIKey *APIKeyAuth `json:"apiKey,omitempty"`
	// hmac signs the request.
	// +optional
	HMAC *HMACAuth `json:"hmac,omitempty"`
}

// BasicAuth sends user name and password (RFC 7617).
type BasicAuth struct {
	// secretRef names a Secret with the keys `username` and `password`.
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
}

// BearerAuth sends a token (RFC 6750).
type BearerAuth struct {
	// secretRef names a Secret with the key `token`.
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
}

// APIKeyLocation says where a key is sent.
// +kubebuilder:validation:Enum=Header;Query
type APIKeyLocation string

const (
	// APIKeyInHeader sends it in a header.
	APIKeyInHeader APIKeyLocation = "Header"
	// APIKeyInQuery sends it in the query, where proxies and logs of the third party may see it.
	APIKeyInQuery APIKeyLocation = "Query"
)

// APIKeyAuth sends a key in a header or the query.
type APIKeyAuth struct {
	// secretRef names a Secret with the key `api-key`.
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
	// in is Header or Query.
	// +optional
	// +default="Header"
	In APIKeyLocation `json:"in,omitempty"`
	// name of the header or query parameter.
	// +optional
	// +default="X-API-Key"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="the name of a header or query parameter consists of letters, digits, '_' and '-'"
	Name string `json:"name,omitempty"`
}

// HMACAuth signs the request: header = hex(HMAC-SHA256(secret, timestamp ‖ "." ‖ method ‖ "." ‖ path with query ‖ "." ‖ body)). The Unix time in
// seconds goes along in timestampHeader, the key's id in keyIDHeader.
type HMACAuth struct {
	// secretRef names a Secret with the keys `key-id` and `secret`.
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
	// signatureHeader carries the signature.
	// +optional
	// +default="X-Signature"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="a header name consists of letters, digits and '-'"
	SignatureHeader string `json:"signatureHeader,omitempty"`
	// timestampHeader carries the time.
	// +optional
	// +default="X-Timestamp"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="a header name consists of letters, digits and '-'"
	TimestampHeader string `json:"timestampHeader,omitempty"`
	// keyIDHeader carries the key's id.
	// +optional
	// +default="X-Key-Id"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="a header name consists of letters, digits and '-'"
	KeyIDHeader string `json:"keyIDHeader,omitempty"`
}
