// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"crypto/sha256"
	"encoding/hex"
)

// Where the operator mounts the worker's files. Each folder is one volume, so that a change reaches the pod without a restart.
const (
	// StructureFile holds a Structure.
	StructureFile = "/etc/orderflow/structure/structure.json"
	// LiveFile holds a Live.
	LiveFile = "/etc/orderflow/live/live.json"
	// SyncDir holds the group's Secret: tls.crt, tls.key and token (SyncTokenKey).
	SyncDir = "/etc/orderflow/sync"
	// BrokerDir holds the MQCluster's credentials, where it has access control: access-key, secret-key, security-token.
	BrokerDir = "/etc/orderflow/broker"
	// BrokerTLSDir holds ca.crt: who signs the certificates of name servers and brokers, where that is no public authority.
	BrokerTLSDir = "/etc/orderflow/broker-tls"
	// AdaptersDir holds one folder per adapter with a Secret, named after the adapter: the keys of its authentication, and the certificates to trust.
	AdaptersDir = "/etc/orderflow/adapters"
	// JournalFile is the pod's own, for as long as the pod lives: its folder is an empty one in memory.
	JournalFile = "/run/orderflow/journal/in-flight"
)

// Keys of the Secrets.
const (
	// SyncTokenKey is the key of the bearer token in the group's Secret.
	SyncTokenKey = "token"
	// AccessKeyKey, SecretKeyKey and SecurityTokenKey are the keys of an MQCluster's ACL Secret; the last is optional.
	AccessKeyKey     = "access-key"
	SecretKeyKey     = "secret-key"
	SecurityTokenKey = "security-token"
	// UsernameKey and PasswordKey are the keys for Basic authentication.
	UsernameKey = "username"
	PasswordKey = "password"
	// TokenKey is the key for Bearer authentication.
	TokenKey = "token"
	// APIKeyKey is the key for APIKey authentication.
	APIKeyKey = "api-key"
	// HMACKeyIDKey and HMACSecretKey are the keys for HMAC authentication.
	HMACKeyIDKey  = "key-id"
	HMACSecretKey = "secret"
	// HMACPreviousKeyIDKey and HMACPreviousSecretKey are optional: the key before, still valid.
	HMACPreviousKeyIDKey  = "previous-key-id"
	HMACPreviousSecretKey = "previous-secret"
	// ClientIDKey and ClientSecretKey are the keys for OAuth2 authentication.
	ClientIDKey     = "client-id"
	ClientSecretKey = "client-secret"
	// CertificateKey and PrivateKeyKey are the keys for MTLS authentication; CAKey is that of the certificates to
	// trust, there and at the brokers.
	CertificateKey = "tls.crt"
	PrivateKeyKey  = "tls.key"
	CAKey          = "ca.crt"
)

// Ports of a worker pod.
const (
	// SyncPort serves /sync and /metrics over TLS, to bearers of the group's token.
	SyncPort = 8443
	// HealthPort serves /healthz and /readyz to the kubelet.
	HealthPort = 8081
)

// SyncServerName is the name in the certificate of a group's pods, whatever address they are called at.
func SyncServerName(namespace, name string) string {
	return name + "." + namespace + ".workers.orderflow.dev"
}

// StructureName is the name of the ConfigMap that holds a Structure: the MQConsumerGroup's name and a hash of the file. A pod tells by it which
// one it runs from, without having been told.
func StructureName(name string, structure []byte) string {
	sum := sha256.Sum256(structure)
	return name + "-" + hex.EncodeToString(sum[:5])
}
