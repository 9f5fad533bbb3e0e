// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

// Adapter is the part of the adapter that only new pods can run differently.
func Adapter(a *v1alpha1.ThirdPartyAdapter) worker.Adapter {
	spec := &a.Spec
	out := worker.Adapter{Name: a.Name, URL: spec.URL, Auth: auth(spec.Auth), TLS: tls(spec.TLS), Idempotency: idempotency(spec.Idempotency)}
	if spec.Response != nil {
		out.SuccessExpression = spec.Response.SuccessExpression
		for _, rule := range spec.Response.Rules {
			out.ResponseRules = append(out.ResponseRules, worker.ResponseRule{WhenExpression: rule.WhenExpression, Outcome: worker.ResponseOutcome(rule.Outcome)})
		}
	}
	return out
}

func idempotency(c v1alpha1.IdempotencyContract) worker.Idempotency {
	out := worker.Idempotency{
		KeysHonoured: c.Keys == v1alpha1.KeyHonoured, Header: c.Header,
		Window: worker.Duration(c.Window.Duration), AcceptDuplicates: c.Duplicates == v1alpha1.DuplicatesAccept,
	}
	if q := c.StatusQuery; q != nil {
		out.StatusQuery = &worker.StatusQuery{
			PathExpression: q.PathExpression, ParametersExpression: q.ParametersExpression, DoneExpression: q.DoneExpression, AbsentExpression: q.AbsentExpression,
		}
	}
	return out
}

func auth(a *v1alpha1.Auth) *worker.Auth {
	if a == nil {
		return nil
	}
	out := &worker.Auth{Type: worker.AuthType(a.Type)}
	switch {
	case a.APIKey != nil:
		out.In, out.Name = string(a.APIKey.In), a.APIKey.Name
	case a.OAuth2 != nil:
		out.In, out.TokenURL, out.Scopes = string(a.OAuth2.CredentialsIn), a.OAuth2.TokenURL, a.OAuth2.Scopes
	case a.HMAC != nil:
		out.SignatureHeader, out.TimestampHeader, out.KeyIDHeader = a.HMAC.SignatureHeader, a.HMAC.TimestampHeader, a.HMAC.KeyIDHeader
	}
	return out
}

func tls(t *v1alpha1.AdapterTLS) *worker.TLS {
	if t == nil {
		return nil
	}
	return &worker.TLS{CA: t.CASecretRef != nil, ServerName: t.ServerName, MinVersion: worker.TLSVersion(t.MinVersion)}
}
