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
// +kubebuilder:validation:XValidation:rule="self.type == 'OAuth2' ? has(self.oauth2) : !has(self.oauth2)",message="auth.oauth2 is given with auth type OAuth2, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type == 'MTLS' ? has(self.mtls) : !has(self.mtls)",message="auth.mtls is given with auth type MTLS, and only with it"
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
	// oauth2 sends a token it gets with client credentials.
	// +optional
	OAuth2 *OAuth2Auth `json:"oauth2,omitempty"`
	// mtls presents a client certificate.
	// +optional
	MTLS *MTLSAuth `json:"mtls,omitempty"`
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
	// Default: Header.
	// +optional
	// +default="Header"
	In APIKeyLocation `json:"in,omitempty"`
	// name of the header or query parameter.
	// Default: X-API-Key.
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
	// secretRef names a Secret with the keys `key-id` and `secret`, and for a rotation `previous-key-id` and `previous-secret`: requests are signed with the
	// newest key; where that is refused, once again with the previous, and for a minute with that at once. So it does not matter who knows the new key first.
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
	// signatureHeader carries the signature.
	// Default: X-Signature.
	// +optional
	// +default="X-Signature"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="a header name consists of letters, digits and '-'"
	SignatureHeader string `json:"signatureHeader,omitempty"`
	// timestampHeader carries the time.
	// Default: X-Timestamp.
	// +optional
	// +default="X-Timestamp"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="a header name consists of letters, digits and '-'"
	TimestampHeader string `json:"timestampHeader,omitempty"`
	// keyIDHeader carries the key's id.
	// Default: X-Key-Id.
	// +optional
	// +default="X-Key-Id"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="a header name consists of letters, digits and '-'"
	KeyIDHeader string `json:"keyIDHeader,omitempty"`
}

// ClientCredentialsLocation says where the token endpoint is told client id and secret.
// +kubebuilder:validation:Enum=Header;Body
type ClientCredentialsLocation string

const (
	// ClientCredentialsInHeader sends them as user and password of Basic authentication, which every endpoint supports.
	ClientCredentialsInHeader ClientCredentialsLocation = "Header"
	// ClientCredentialsInBody sends them in the form.
	ClientCredentialsInBody ClientCredentialsLocation = "Body"
)

// OAuth2Auth sends a bearer token that it gets with client credentials (RFC 6749, 4.4). A token is kept until shortly before it ends, and a request that
// is answered 401 is made once again with a new one. While there is none to be had, messages wait and no attempt is counted.
type OAuth2Auth struct {
	// secretRef names a Secret with the keys `client-id` and `client-secret`. Its annotation orderflow.dev/allowed-hosts names the hosts of both, url and
	// tokenURL.
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
	// tokenURL is the token endpoint, http or https.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="auth.oauth2.tokenURL is an absolute http or https URL, for example https://login.example.com/token"
	// +kubebuilder:validation:XValidation:rule="!isURL(self) || (!self.contains('@') && !self.contains('#'))",message="auth.oauth2.tokenURL has no user or fragment: client id and secret belong in the Secret"
	// +kubebuilder:validation:XValidation:rule="!isURL(self) || [url(self).getHostname()].all(h, isIP(h) ? ip(h).isGlobalUnicast() && !['0.0.0.0/8', '192.0.0.0/24', '240.0.0.0/4', 'fec0::/10', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16', 'fd00:ec2::254/128', 'fd20:ce::254/128', '100.100.100.200/32', '168.63.129.16/32'].exists(n, cidr(n).containsIP(h)) : !h.contains(':') && !h.matches('(?i)^((.*[.])?localhost|metadata|metadata[.]google[.]internal)[.]?$') && !h.matches('(?i)(^|[.])(0x[0-9a-f]*|[0-9]+)[.]?$'))",message="auth.oauth2.tokenURL must not point to a loopback, link-local or metadata address, nor to another that is reserved: a token endpoint has an address of its own"
	TokenURL string `json:"tokenURL,omitempty"`
	// scopes to ask for. Unset: the endpoint's default.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Scopes []string `json:"scopes,omitempty"`
	// credentialsIn is Header or Body.
	// Default: Header.
	// +optional
	// +default="Header"
	CredentialsIn ClientCredentialsLocation `json:"credentialsIn,omitempty"`
}

// MTLSAuth presents a client certificate when the connection is made. url is https.
type MTLSAuth struct {
	// secretRef names a Secret of type kubernetes.io/tls, as cert-manager makes them: its keys `tls.crt`, the certificate and those between it and the root, and
	// `tls.key` are used, no other. Pods take a renewed certificate over while they run: requests on their way end on the connections of before. One whose key
	// does not fit, or that has ended, is not taken over: the one before is used while it lasts. Without one that lasts nobody is called, and messages wait.
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
}
