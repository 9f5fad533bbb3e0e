// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

// Secret is one of which pods find some keys in the adapter's folder, and no others.
type Secret struct {
	// Name of it, and Field that has the name.
	Name, Field string
	// Keys it must have, and Optional ones it may.
	Keys, Optional []string
	// Sent: what it holds is shown to the third party. Else it is what the third party is known by.
	Sent bool
}

// Secrets are those of the adapter's authentication and of the certificates it trusts.
func Secrets(spec *v1alpha1.ThirdPartyAdapterSpec) []Secret {
	var list []Secret
	if spec.Auth != nil {
		list = append(list, authSecret(spec.Auth))
	}
	if spec.TLS != nil && spec.TLS.CASecretRef != nil {
		list = append(list, Secret{Name: spec.TLS.CASecretRef.Name, Field: "spec.tls.caSecretRef", Keys: []string{worker.CAKey}})
	}
	return list
}

func authSecret(auth *v1alpha1.Auth) Secret {
	s := Secret{Sent: true}
	switch {
	case auth.Basic != nil:
		s.Name, s.Field, s.Keys = auth.Basic.SecretRef.Name, "spec.auth.basic.secretRef", []string{worker.UsernameKey, worker.PasswordKey}
	case auth.Bearer != nil:
		s.Name, s.Field, s.Keys = auth.Bearer.SecretRef.Name, "spec.auth.bearer.secretRef", []string{worker.TokenKey}
	case auth.APIKey != nil:
		s.Name, s.Field, s.Keys = auth.APIKey.SecretRef.Name, "spec.auth.apiKey.secretRef", []string{worker.APIKeyKey}
	case auth.HMAC != nil:
		s.Name, s.Field, s.Keys = auth.HMAC.SecretRef.Name, "spec.auth.hmac.secretRef", []string{worker.HMACKeyIDKey, worker.HMACSecretKey}
		s.Optional = []string{worker.HMACPreviousKeyIDKey, worker.HMACPreviousSecretKey}
	case auth.OAuth2 != nil:
		s.Name, s.Field, s.Keys = auth.OAuth2.SecretRef.Name, "spec.auth.oauth2.secretRef", []string{worker.ClientIDKey, worker.ClientSecretKey}
	case auth.MTLS != nil:
		s.Name, s.Field, s.Keys = auth.MTLS.SecretRef.Name, "spec.auth.mtls.secretRef", []string{worker.CertificateKey, worker.PrivateKeyKey}
	}
	return s
}
