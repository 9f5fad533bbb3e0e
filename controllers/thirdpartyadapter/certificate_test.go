// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/certificate/certificatetest"
)

func withCertificate(w *world) *v1alpha1.ThirdPartyAdapter {
	adapter := w.Adapter("sms")
	adapter.Spec.URL = "https://sms.example.com"
	adapter.Spec.Auth = &v1alpha1.Auth{Type: v1alpha1.AuthMTLS, MTLS: &v1alpha1.MTLSAuth{SecretRef: v1alpha1.LocalObjectReference{Name: "account"}}}
	adapter.Spec.TLS = &v1alpha1.AdapterTLS{CASecretRef: &v1alpha1.LocalObjectReference{Name: "ca"}}
	return adapter
}

func TestCertificatesThatCannotBeUsedAreToldBeforePodsHaveThem(t *testing.T) {
	authority, now, day := certificatetest.NewAuthority(t), time.Now(), 24*time.Hour
	good, key := authority.Issue(t, "shop", now.Add(-day), now.Add(100*day))
	ended, endedKey := authority.Issue(t, "shop", now.Add(-day), now.Add(-time.Hour))
	_, other := authority.Issue(t, "shop", now.Add(-day), now.Add(100*day))
	for sentence, test := range map[string]struct {
		certificate, key, ca string
		reason               string
		message              []string
	}{
		"nothing":                      {good, key, authority.PEM, v1alpha1.ReasonReady, nil},
		"the certificate has ended":    {ended, endedKey, authority.PEM, v1alpha1.ReasonCertificateUnusable, []string{"\"account\"", "spec.auth.mtls.secretRef", "tls.crt has ended at "}},
		"another certificate's key":    {good, other, authority.PEM, v1alpha1.ReasonCertificateUnusable, []string{"tls.key cannot be read, or is not the key of the certificate in tls.crt"}},
		"the certificate is none":      {"s3cr3t-value", key, authority.PEM, v1alpha1.ReasonCertificateUnusable, []string{"tls.crt has no certificate that can be read"}},
		"nobody is trusted":            {good, key, "s3cr3t-value", v1alpha1.ReasonCertificateUnusable, []string{"\"ca\"", "spec.tls.caSecretRef", "ca.crt has no certificate that can be read"}},
		"the Secret has no key":        {good, "", authority.PEM, v1alpha1.ReasonSecretKeyMissing, []string{"tls.crt and tls.key"}},
		"the authority does not exist": {good, key, "", v1alpha1.ReasonSecretNotFound, []string{"spec.tls.caSecretRef names Secret \"ca\"", "create it with the keys ca.crt"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			adapter := withCertificate(w)
			w.Create(t, adapter, w.Credential("account", "sms.example.com", map[string]string{"tls.crt": test.certificate, "tls.key": test.key}))
			if test.ca != "" {
				w.Create(t, w.Credential("ca", "", map[string]string{"ca.crt": test.ca}))
			}
			w.step(t, adapter)
			ready := metav1.ConditionFalse
			if test.reason == v1alpha1.ReasonReady {
				ready = metav1.ConditionTrue
			}
			suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, ready, test.reason, test.message...)
			if said := meta.FindStatusCondition(adapter.Status.Conditions, v1alpha1.ConditionReady).Message; strings.Contains(said, "s3cr3t-value") {
				t.Errorf("the message has what the Secret holds: %s", said)
			}
		})
	}
}

func TestACertificateThatEndsSoonIsTold(t *testing.T) {
	authority, now, day := certificatetest.NewAuthority(t), time.Now(), 24*time.Hour
	for sentence, test := range map[string]struct {
		from, until time.Time
		status      metav1.ConditionStatus
		reason      string
		event       bool
	}{
		"it lasts":               {now.Add(-70 * day), now.Add(20 * day), metav1.ConditionFalse, v1alpha1.ReasonCertificateLasts, false},
		"it was to be renewed":   {now.Add(-80 * day), now.Add(10 * day), metav1.ConditionTrue, v1alpha1.ReasonCertificateEnds, true},
		"a day's is not a month": {now.Add(-10 * time.Hour), now.Add(14 * time.Hour), metav1.ConditionFalse, v1alpha1.ReasonCertificateLasts, false},
		"ten years' has a month": {now.Add(-3600 * day), now.Add(29 * day), metav1.ConditionTrue, v1alpha1.ReasonCertificateEnds, true},
		"it has ended":           {now.Add(-90 * day), now.Add(-day), metav1.ConditionTrue, v1alpha1.ReasonCertificateEnds, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			adapter := withCertificate(w)
			certificate, key := authority.Issue(t, "shop", test.from, test.until)
			w.Create(t, adapter, w.Credential("account", "sms.example.com", map[string]string{"tls.crt": certificate, "tls.key": key}),
				w.Credential("ca", "", map[string]string{"ca.crt": authority.PEM}))
			w.step(t, adapter)
			suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionCertificateExpiring, test.status, test.reason, test.until.UTC().Format(time.RFC3339))
			if told := slices.ContainsFunc(w.Events(), func(e string) bool { return strings.HasPrefix(e, "Warning "+v1alpha1.ReasonCertificateEnds) }); told != test.event {
				t.Errorf("an event was sent: %v, want %v", told, test.event)
			}

			adapter.Spec.Auth = nil
			w.Write(t, adapter)
			w.step(t, adapter)
			if c := meta.FindStatusCondition(adapter.Status.Conditions, v1alpha1.ConditionCertificateExpiring); c != nil {
				t.Errorf("without a certificate, it is told that it is %s", c.Reason)
			}
		})
	}
}
