// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestMain(m *testing.M) { suite.Main(m) }

// reconcile calls Reconcile once, reads the cluster anew and returns what the queue was told.
func reconcile(t *testing.T, s *suite.Suite, cluster *v1alpha1.MQCluster) ctrl.Result {
	t.Helper()
	r := &Reconciler{Client: s.Client, Applier: s.Applier, Connector: s.Connector, Recorder: s.Recorder, Now: s.Now}
	answer, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(cluster)})
	if err != nil {
		t.Fatalf("reconcile: %v", err)
	}
	s.Read(t, cluster)
	return answer
}

func TestAClusterThatAnswersIsReady(t *testing.T) {
	s := suite.New(t)
	mq := fake.Start(t, fake.Config{Brokers: 2})
	cluster := s.Cluster(mq.NameServer())
	s.Create(t, cluster)

	answer := reconcile(t, s, cluster)

	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "masters: 2")
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonReady)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonReady)
	if answer.RequeueAfter < 54*time.Second || answer.RequeueAfter > 66*time.Second {
		t.Errorf("it is looked at again after %v, want a minute give or take 10 %%", answer.RequeueAfter)
	}
	status := cluster.Status
	if len(status.Brokers) != 2 || status.Brokers[0].Version == "" || status.Identity == "" || status.LastVerifiedTime == nil {
		t.Errorf("the status lacks brokers, versions, identity or time: %+v", status)
	}
	if levels, err := rocketmq.ParseDelayLevels(status.Brokers[1].DelayLevels); err != nil || len(levels) != 18 {
		t.Errorf("the delay levels are %q: %v", status.Brokers[1].DelayLevels, err)
	}
	if status.Features.AutoCreateTopic != v1alpha1.FeatureOff {
		t.Errorf("autoCreateTopic is %s, want Off", status.Features.AutoCreateTopic)
	}
	if events := s.Events(); len(events) != 1 || !strings.HasPrefix(events[0], "Normal Ready") {
		t.Errorf("events are %q, want one that it is ready", events)
	}
	version := cluster.ResourceVersion
	reconcile(t, s, cluster)
	if events := s.Events(); len(events) != 0 {
		t.Errorf("a second look without a change sent the events %q", events)
	}
	if cluster.ResourceVersion != version {
		t.Error("a second look without a change wrote the status")
	}
}

func TestWhatKeepsAClusterFromBeingReadyIsSaid(t *testing.T) {
	key := rocketmq.Credentials{AccessKey: "orderflow", SecretKey: "right"}
	good := map[string]string{"access-key": "orderflow", "secret-key": "right"}
	for sentence, test := range map[string]struct {
		config fake.Config
		fault  fake.Fault
		// secret is nil for none at all; acl says that the cluster names it.
		secret func(*suite.Suite) client.Object
		acl    bool

		ready   metav1.ConditionStatus
		stalled bool
		reason  string
		message []string
	}{
		"no name server answers": {
			fault: fake.Fault{Host: "namesrv", Cut: true},
			ready: metav1.ConditionFalse, reason: v1alpha1.ReasonNameServerUnreachable, message: []string{"name servers", "127.0.0.1", "spec.nameServers", "NetworkPolicy"},
		},
		"a broker takes the call and never answers": {
			fault: fake.Fault{Host: "broker-a", Hang: true},
			ready: metav1.ConditionFalse, reason: v1alpha1.ReasonBrokerUnreachable, message: []string{"broker-a", "deadline exceeded", "brokerIP1 and listenPort", "NetworkPolicy"},
		},
		"a broker does not answer": {
			config: fake.Config{Brokers: 2}, fault: fake.Fault{Host: "broker-b", Cut: true},
			ready: metav1.ConditionFalse, reason: v1alpha1.ReasonBrokerUnreachable, message: []string{"broker-b"},
		},
		"a broker refuses": {
			fault: fake.Fault{Host: "broker-a", Code: rocketmq.CodeSystemError, Remark: "disk full"},
			ready: metav1.ConditionFalse, reason: v1alpha1.ReasonBrokerRefused, message: []string{"broker-a", "disk full"},
		},
		"the cluster wants a key and none is given": {
			config: fake.Config{Credentials: key},
			ready:  metav1.ConditionFalse, stalled: true, reason: v1alpha1.ReasonPermissionDenied, message: []string{"spec.acl"},
		},
		"the secret key is wrong": {
			config: fake.Config{Credentials: key}, acl: true,
			secret: func(s *suite.Suite) client.Object {
				return s.Credential("acl", "127.0.0.1", map[string]string{"access-key": "orderflow", "secret-key": "wrong"})
			},
			ready: metav1.ConditionFalse, stalled: true, reason: v1alpha1.ReasonPermissionDenied, message: []string{"check the access key"},
		},
		"the secret does not exist": {
			acl:   true,
			ready: metav1.ConditionFalse, stalled: true, reason: v1alpha1.ReasonSecretNotFound, message: []string{"spec.acl.secretRef", "\"acl\"", "access-key and secret-key"},
		},
		"the secret lacks a key": {
			acl: true,
			secret: func(s *suite.Suite) client.Object {
				return s.Credential("acl", "127.0.0.1", map[string]string{"access-key": "orderflow"})
			},
			ready: metav1.ConditionFalse, stalled: true, reason: v1alpha1.ReasonSecretKeyMissing, message: []string{"no key \"secret-key\""},
		},
		"the secret is no credential": {
			acl: true,
			secret: func(s *suite.Suite) client.Object {
				secret := s.Credential("acl", "127.0.0.1", good)
				secret.Labels = nil
				return secret
			},
			ready: metav1.ConditionFalse, stalled: true, reason: v1alpha1.ReasonSecretNotAllowed, message: []string{"kubectl label secret acl orderflow.dev/credential=true"},
		},
		"the secret is for another host": {
			acl:    true,
			secret: func(s *suite.Suite) client.Object { return s.Credential("acl", "mq.example.com", good) },
			ready:  metav1.ConditionFalse, stalled: true, reason: v1alpha1.ReasonSecretNotAllowed, message: []string{"127.0.0.1", "orderflow.dev/allowed-hosts"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := suite.New(t)
			mq := fake.Start(t, test.config)
			if test.fault != (fake.Fault{}) {
				mq.Inject(test.fault)
			}
			cluster := s.Cluster(mq.NameServer())
			if test.acl {
				cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "acl"}}
			}
			if test.secret != nil {
				s.Create(t, test.secret(s))
			}
			s.Create(t, cluster)

			answer := reconcile(t, s, cluster)

			conditions := cluster.Status.Conditions
			suite.WantCondition(t, conditions, v1alpha1.ConditionReady, test.ready, test.reason, test.message...)
			stalled, reconciling := metav1.ConditionFalse, metav1.ConditionTrue
			if test.stalled {
				stalled, reconciling = reconciling, stalled
			}
			suite.WantCondition(t, conditions, v1alpha1.ConditionStalled, stalled, test.reason)
			suite.WantCondition(t, conditions, v1alpha1.ConditionReconciling, reconciling, test.reason)
			if answer.RequeueAfter == 0 || cluster.Status.LastVerifiedTime != nil {
				t.Errorf("it is looked at again after %v and was verified at %v, want a time and never", answer.RequeueAfter, cluster.Status.LastVerifiedTime)
			}
			if got := cluster.Status.Features.SQL92; got != v1alpha1.FeatureUnknown {
				t.Errorf("a feature nobody told is %s", got)
			}
		})
	}
}

func TestACorrectedSecretIsSeenWithoutARestart(t *testing.T) {
	s := suite.New(t)
	mq := fake.Start(t, fake.Config{Credentials: rocketmq.Credentials{AccessKey: "orderflow", SecretKey: "right"}})
	cluster := s.Cluster(mq.NameServer())
	cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "acl"}}
	secret := s.Credential("acl", "127.0.0.1", map[string]string{"access-key": "orderflow", "secret-key": "wrong"})
	s.Create(t, secret, cluster)
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPermissionDenied)

	secret.StringData = map[string]string{"secret-key": "right"}
	s.Write(t, secret)
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func TestABrokerThatGoesAwayIsSaidAndWhatItSaidForgotten(t *testing.T) {
	s := suite.New(t)
	mq := fake.Start(t, fake.Config{})
	cluster := s.Cluster(mq.NameServer())
	s.Create(t, cluster)
	reconcile(t, s, cluster)
	identity := cluster.Status.Identity
	s.Events()

	mq.Inject(fake.Fault{Cut: true})
	reconcile(t, s, cluster)

	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNameServerUnreachable)
	if b := cluster.Status.Brokers; len(b) != 1 || b[0].Version != "" || b[0].DelayLevels != "" {
		t.Errorf("brokers are %+v, want the one seen before, its version and delay levels unknown", b)
	}
	if cluster.Status.Identity != identity {
		t.Error("the identity was lost while the cluster could not be reached")
	}
	if events := s.Events(); len(events) != 1 || !strings.HasPrefix(events[0], "Warning NameServerUnreachable") {
		t.Errorf("events are %q, want one warning", events)
	}
	mq.Heal()
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func TestALostMasterIsMissedUntilItIsBackOrGivenUp(t *testing.T) {
	for sentence, test := range map[string]struct {
		// end is what is done about it.
		end  func(*testing.T, *suite.Suite, *fake.Cluster, *v1alpha1.MQCluster)
		left int
	}{
		"it is back": {func(t *testing.T, _ *suite.Suite, mq *fake.Cluster, _ *v1alpha1.MQCluster) {
			if err := mq.Brokers()[0].Start(); err != nil {
				t.Fatal(err)
			}
		}, 2},
		"it is said to be gone for good": {func(t *testing.T, s *suite.Suite, _ *fake.Cluster, cluster *v1alpha1.MQCluster) {
			cluster.Annotations = map[string]string{v1alpha1.ForgetBrokerAnnotation: "broker-a"}
			s.Write(t, cluster)
		}, 1},
		"the spec is edited": {func(t *testing.T, s *suite.Suite, _ *fake.Cluster, cluster *v1alpha1.MQCluster) {
			cluster.Spec.EgressCIDRs = []string{"10.0.0.0/8"}
			s.Write(t, cluster)
		}, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := suite.New(t)
			mq := fake.Start(t, fake.Config{Brokers: 2})
			cluster := s.Cluster(mq.NameServer())
			s.Create(t, cluster)
			reconcile(t, s, cluster)
			identity := cluster.Status.Identity
			mq.Brokers()[0].Stop()
			for range 2 {
				reconcile(t, s, cluster)
				suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBrokerUnreachable,
					"dropped master broker broker-a", "start it again", "orderflow.dev/forget-broker=broker-a")
				if b := cluster.Status.Brokers; len(b) != 2 || b[0].Name != "broker-a" || b[0].Version+b[0].DelayLevels != "" || cluster.Status.Features.SQL92 != v1alpha1.FeatureUnknown {
					t.Errorf("brokers are %+v and features %+v, want both, and nothing that broker-a would have to tell", b, cluster.Status.Features)
				}
			}
			test.end(t, s, mq, cluster)
			reconcile(t, s, cluster)
			suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
			if len(cluster.Status.Brokers) != test.left || cluster.Status.Identity != identity {
				t.Errorf("%d brokers of cluster %s are left, want %d of %s", len(cluster.Status.Brokers), cluster.Status.Identity, test.left, identity)
			}
		})
	}
}

func TestTwoClustersOfANamespaceAreToldApart(t *testing.T) {
	s := suite.New(t)
	key := rocketmq.Credentials{AccessKey: "orderflow", SecretKey: "right", SecurityToken: "temporary"}
	guarded, open := fake.Start(t, fake.Config{Credentials: key}), fake.Start(t, fake.Config{})
	first, second := s.Cluster(guarded.NameServer()), s.Cluster(open.NameServer())
	first.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "acl"}}
	second.Name = "other"
	s.Create(t, s.Credential("acl", "127.0.0.1", map[string]string{"access-key": key.AccessKey, "secret-key": key.SecretKey, "security-token": key.SecurityToken}), first, second)
	for _, cluster := range []*v1alpha1.MQCluster{first, second, first, second} {
		reconcile(t, s, cluster)
		suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	}
	if first.Status.Identity == second.Status.Identity {
		t.Error("two clusters have one identity")
	}
	field := func(call fake.Call, name string) (value string) {
		for _, f := range call.Fields {
			if f.Name == name {
				value = f.Value
			}
		}
		return value
	}
	for _, call := range open.Calls(0) {
		if field(call, "AccessKey") != "" {
			t.Fatal("the key of one cluster was sent to the other")
		}
	}
	for _, call := range guarded.Calls(rocketmq.OpBrokerConfig) {
		if field(call, "AccessKey") != key.AccessKey || field(call, "SecurityToken") != key.SecurityToken {
			t.Errorf("a request was sent with %v", call.Fields)
		}
	}
}

func TestAClusterIsLookedAtOnDemand(t *testing.T) {
	mq := fake.Start(t, fake.Config{})
	s := suite.New(t)
	cluster := s.Cluster(mq.NameServer())
	s.Create(t, cluster)
	reconcile(t, s, cluster)
	cluster.Annotations = map[string]string{v1alpha1.ReconcileAtAnnotation: "10:15"}
	s.Write(t, cluster)
	mq.Inject(fake.Fault{Host: "broker-a", Cut: true}) // of which nobody tells
	reconcile(t, s, cluster)
	if got := cluster.Status.LastHandledReconcileAt; got != "10:15" {
		t.Errorf("the status says %q", got)
	}
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBrokerUnreachable)
}
