// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"crypto/tls"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/certificate/certificatetest"
	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// authorities is a Secret "ca" with who is trusted.
func authorities(s *suite.Suite, pem string) *corev1.Secret {
	secret := s.Credential("ca", "", map[string]string{"ca.crt": pem})
	secret.Annotations = nil // who is trusted is shown to nobody
	return secret
}

func verifying(cluster *v1alpha1.MQCluster) *v1alpha1.MQCluster {
	cluster.Spec.TLS = &v1alpha1.MQClusterTLS{Mode: v1alpha1.TLSVerify, CASecretRef: &v1alpha1.LocalObjectReference{Name: "ca"}}
	return cluster
}

func lasting(t *testing.T, a *certificatetest.Authority, name string) *tls.Config {
	return a.Server(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

func TestNothingIsSentToWhomNobodyVouchesFor(t *testing.T) {
	ours, others := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t)
	key := remoting.Credentials{AccessKey: "orderflow", SecretKey: "right"}
	for sentence, test := range map[string]struct {
		server *tls.Config // nil: plain text
		spec   func(*v1alpha1.MQClusterTLS)
		secret func(*corev1.Secret)

		ready   bool
		reason  string
		message string
	}{
		"the certificate is verified": {server: lasting(t, ours, "127.0.0.1"), ready: true, reason: v1alpha1.ReasonReady},
		"the certificate is for the name that is declared": {
			server: lasting(t, ours, "mq.example"), spec: func(s *v1alpha1.MQClusterTLS) { s.ServerName = "mq.example" }, ready: true, reason: v1alpha1.ReasonReady,
		},
		"another authority has signed": {
			server: lasting(t, others, "127.0.0.1"), reason: v1alpha1.ReasonCertificateRefused, message: "nobody who is trusted has signed its certificate: put",
		},
		"the public authorities have not signed": {
			server: lasting(t, ours, "127.0.0.1"), spec: func(s *v1alpha1.MQClusterTLS) { s.CASecretRef = nil },
			reason: v1alpha1.ReasonCertificateRefused, message: "nobody who is trusted has signed its certificate: put",
		},
		"it is for another name": {
			server: lasting(t, ours, "mq.example"), reason: v1alpha1.ReasonCertificateRefused, message: "its certificate is for another name: set the MQCluster's spec.tls.serverName",
		},
		"it has ended": {
			server: ours.Server(t, "127.0.0.1", time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)),
			reason: v1alpha1.ReasonCertificateRefused, message: "its certificate has ended, or has not begun: give it a new one",
		},
		"the server speaks plain text": {reason: v1alpha1.ReasonNameServerUnreachable, message: "it seems to speak plain text: give it a certificate and tls.server.mode=enforcing"},
		"who is trusted cannot be read": {
			server: lasting(t, ours, "127.0.0.1"), secret: func(s *corev1.Secret) { s.StringData["ca.crt"] = "no PEM" },
			reason: v1alpha1.ReasonCertificateUnusable, message: `Secret "ca", which spec.tls.caSecretRef names: ca.crt has no certificate`,
		},
		"who is trusted is not there": {
			server: lasting(t, ours, "127.0.0.1"), secret: func(s *corev1.Secret) { s.StringData = nil },
			reason: v1alpha1.ReasonSecretKeyMissing, message: `no key "ca.crt"`,
		},
		"the Secret is no credential": {
			server: lasting(t, ours, "127.0.0.1"), secret: func(s *corev1.Secret) { s.Labels = nil },
			reason: v1alpha1.ReasonSecretNotAllowed, message: "kubectl label secret ca orderflow.dev/credential=true",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := suite.New(t)
			mq := fake.Start(t, fake.Config{TLS: test.server, Credentials: key})
			secret, cluster := authorities(s, ours.PEM), verifying(s.Cluster(mq.NameServer()))
			cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "acl"}}
			if test.secret != nil {
				test.secret(secret)
			}
			if test.spec != nil {
				test.spec(cluster.Spec.TLS)
			}
			s.Create(t, secret, s.Credential("acl", "127.0.0.1", map[string]string{"access-key": key.AccessKey, "secret-key": key.SecretKey}), cluster)
			reconcile(t, s, cluster)
			status := metav1.ConditionFalse
			if test.ready {
				status = metav1.ConditionTrue
			}
			suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, status, test.reason, test.message)
			if calls := mq.Calls(0); !test.ready && len(calls) > 0 {
				t.Errorf("%d requests were sent", len(calls))
			}
		})
	}
}

func TestAServerThatSpeaksTLSOnlyIsSaidToPlainText(t *testing.T) {
	s := suite.New(t)
	mq := fake.Start(t, fake.Config{TLS: lasting(t, certificatetest.NewAuthority(t), "127.0.0.1")})
	cluster := s.Cluster(mq.NameServer())
	s.Create(t, cluster)
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNameServerUnreachable, "set spec.tls if it speaks TLS only")
}

func TestWhoIsTrustedChangesWithoutARestart(t *testing.T) {
	before, after := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t)
	s := suite.New(t)
	mq := fake.Start(t, fake.Config{TLS: lasting(t, after, "127.0.0.1")})
	secret, cluster := authorities(s, before.PEM), verifying(s.Cluster(mq.NameServer()))
	s.Create(t, secret, cluster)
	trust := func(pem string, status metav1.ConditionStatus, reason string) {
		t.Helper()
		secret.StringData = map[string]string{"ca.crt": pem}
		s.Write(t, secret)
		reconcile(t, s, cluster)
		suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, status, reason)
	}
	trust(before.PEM, metav1.ConditionFalse, v1alpha1.ReasonCertificateRefused)
	trust(before.PEM+after.PEM, metav1.ConditionTrue, v1alpha1.ReasonReady)
	trust(after.PEM, metav1.ConditionTrue, v1alpha1.ReasonReady)
	trust(before.PEM, metav1.ConditionFalse, v1alpha1.ReasonCertificateRefused) // also on the connections there were
}

func TestARealClusterThatSpeaksTLSOnlyIsVerified(t *testing.T) {
	ours, others := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t)
	certificate, key := ours.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	user := rocketmq.User{Name: "orderflow", Password: "orderflow-secret"}
	mq := broker.Own(t, rocketmq.Options{ACL: &user, TLS: &rocketmq.TLS{Certificate: certificate, Key: key, Authority: ours.PEM}})
	s := suite.New(t)
	secret, cluster := authorities(s, others.PEM), verifying(s.Cluster(mq.NameServer()))
	cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "acl"}}
	s.Create(t, secret, s.Credential("acl", "127.0.0.1", map[string]string{"access-key": user.Name, "secret-key": user.Password}), cluster)

	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonCertificateRefused)
	secret.StringData = map[string]string{"ca.crt": ours.PEM}
	s.Write(t, secret)
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "masters: 1")
	cluster.Spec.TLS = nil
	s.Write(t, cluster)
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNameServerUnreachable, "set spec.tls if it speaks TLS only")
}
