// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/contract"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/certificate"
)

// A client certificate ends soon when a sixth of its time is left, and at most a month: who renews by himself, as cert-manager does with a third left, has failed by then.
const (
	soonPart = 6
	soonMost = 30 * 24 * time.Hour
)

// usable says whether pods can use the certificates a Secret is read for, and which one of them is shown, nil if none.
func usable(secret *corev1.Secret, read contract.Secret, now time.Time) (shown *x509.Certificate, r result.Result) {
	var err error
	if slices.Contains(read.Keys, worker.CertificateKey) {
		shown, _ = certificate.Leaf(secret.Data[worker.CertificateKey]) // Pair tells what is wrong with it
		_, err = certificate.Pair(secret.Data[worker.CertificateKey], secret.Data[worker.PrivateKeyKey], now)
	}
	if slices.Contains(read.Keys, worker.CAKey) {
		_, err = certificate.Pool(x509.NewCertPool(), secret.Data[worker.CAKey])
	}
	if err != nil {
		return shown, result.Stall(v1alpha1.ReasonCertificateUnusable,
			"Secret %q, which %s names: %v: put certificates and key that can be used into it; pods take them over about a minute later", secret.Name, read.Field, err).Again(interval)
	}
	return shown, result.Result{}
}

// certificateExpiring writes the condition of an adapter that shows a certificate, and takes it from one that shows none.
func certificateExpiring(adapter *v1alpha1.ThirdPartyAdapter, shown *x509.Certificate, now time.Time) []metav1.Condition {
	auth := adapter.Spec.Auth
	if auth == nil || auth.MTLS == nil {
		meta.RemoveStatusCondition(&adapter.Status.Conditions, v1alpha1.ConditionCertificateExpiring)
		return nil
	}
	c := metav1.Condition{Type: v1alpha1.ConditionCertificateExpiring, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotRead, Message: "there is no certificate to read: see Ready"}
	if shown == nil {
		return []metav1.Condition{c}
	}
	ends := shown.NotAfter.UTC().Format(time.RFC3339)
	switch left := shown.NotAfter.Sub(now); {
	case left <= 0:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonCertificateEnds
		c.Message = fmt.Sprintf("the client certificate in Secret %q has ended at %s: renew it; once pods have none that lasts nobody is called, and messages wait", auth.MTLS.SecretRef.Name, ends)
	case left <= min(soonMost, shown.NotAfter.Sub(shown.NotBefore)/soonPart):
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonCertificateEnds
		c.Message = fmt.Sprintf("the client certificate in Secret %q ends at %s: renew it, or find out why it was not renewed; pods take a new one over while they run", auth.MTLS.SecretRef.Name, ends)
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonCertificateLasts, "the client certificate lasts until "+ends
	}
	return []metav1.Condition{c}
}
