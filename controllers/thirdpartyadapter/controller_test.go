// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

func TestMain(m *testing.M) { suite.Main(m) }

func TestACircuitIsWorthALookAndAProberIsNot(t *testing.T) {
	group := func(circuit v1alpha1.CircuitState, prober string) *v1alpha1.MQConsumerGroup {
		return &v1alpha1.MQConsumerGroup{Status: v1alpha1.MQConsumerGroupStatus{Adapters: []v1alpha1.AdapterUse{{Name: "sms", Circuit: circuit, Prober: prober}}}}
	}
	before := group(v1alpha1.CircuitOpen, "a")
	if usesChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: group(v1alpha1.CircuitOpen, "b")}) {
		t.Error("another prober, as in an outage there is every few seconds, has every adapter looked at")
	}
	if !usesChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: group(v1alpha1.CircuitClosed, "")}) {
		t.Error("a circuit closed, and nobody writes it down")
	}
	unknown, closed := event.UpdateEvent{ObjectOld: group(v1alpha1.CircuitUnknown, ""), ObjectNew: group(v1alpha1.CircuitClosed, "")}, event.UpdateEvent{ObjectOld: before, ObjectNew: group(v1alpha1.CircuitClosed, "")}
	if usesChanged().Update(unknown) || !circuitsHeard().Update(unknown) {
		t.Error("that all is well can wait for others that tell the same, and is to be written down")
	}
	if circuitsHeard().Update(closed) {
		t.Error("a circuit that closed is written down at once, and looked at again for nothing")
	}
}

// world is a namespace whose pods report what the test says.
type world struct {
	*suite.Suite
	reports map[string][]workersync.Report // by group
	begins  bool                           // the operator has not asked them yet
}

// step calls Reconcile once, reads the adapter anew and returns what the queue was told.
func (w *world) step(t *testing.T, adapter *v1alpha1.ThirdPartyAdapter) ctrl.Result {
	t.Helper()
	r := &Reconciler{
		Client: w.Client, Secrets: w.Client, Applier: w.Applier, Recorder: w.Recorder, Now: w.Now,
		Reports: func(group types.NamespacedName) []workersync.Report { return w.reports[group.Name] },
		Heard:   func(types.NamespacedName) bool { return !w.begins },
	}
	answer, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(adapter)})
	if err != nil {
		t.Fatalf("reconcile: %v", err)
	}
	w.Read(t, adapter)
	return answer
}

func newWorld(t *testing.T) *world {
	return &world{Suite: suite.New(t), reports: map[string][]workersync.Report{}}
}

// says is a pod's report of the third party sms.
func says(circuit worker.Circuit, lastError string, at time.Time) workersync.Report {
	report := worker.AdapterReport{Name: "sms", Circuit: circuit, LastError: lastError}
	if lastError != "" {
		report.LastErrorTime = &at
	}
	return workersync.Report{Answer: worker.SyncResponse{Adapters: []worker.AdapterReport{report}}}
}

func TestWhatKeepsAnAdapterFromBeingUsedIsSaid(t *testing.T) {
	ref := v1alpha1.LocalObjectReference{Name: "account"}
	bearer := &v1alpha1.Auth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{SecretRef: ref}}
	for sentence, test := range map[string]struct {
		auth    *v1alpha1.Auth
		success string
		rule    string
		secret  func(*suite.Suite) client.Object

		reason  string
		message []string
	}{
		"nothing": {reason: v1alpha1.ReasonReady},
		"nothing, as the secret may be used": {
			auth: bearer,
			secret: func(s *suite.Suite) client.Object {
				return s.Credential("account", "other.org, *.example.com", map[string]string{"token": "t"})
			},
			reason: v1alpha1.ReasonReady,
		},
		"the secret does not exist": {
			auth: bearer, reason: v1alpha1.ReasonSecretNotFound, message: []string{"spec.auth.bearer.secretRef", "\"account\"", "with the keys token"},
		},
		"the secret lacks a key of HMAC": {
			auth: &v1alpha1.Auth{Type: v1alpha1.AuthHMAC, HMAC: &v1alpha1.HMACAuth{SecretRef: ref}},
			secret: func(s *suite.Suite) client.Object {
				return s.Credential("account", "sms.example.com", map[string]string{"key-id": "k"})
			},
			reason: v1alpha1.ReasonSecretKeyMissing, message: []string{"no key \"secret\"", "key-id and secret"},
		},
		"the secret's password is empty": {
			auth: &v1alpha1.Auth{Type: v1alpha1.AuthBasic, Basic: &v1alpha1.BasicAuth{SecretRef: ref}},
			secret: func(s *suite.Suite) client.Object {
				return s.Credential("account", "sms.example.com", map[string]string{"username": "u", "password": ""})
			},
			reason: v1alpha1.ReasonSecretKeyMissing, message: []string{"\"password\"", "empty"},
		},
		"the secret is for another host": {
			auth: &v1alpha1.Auth{Type: v1alpha1.AuthAPIKey, APIKey: &v1alpha1.APIKeyAuth{SecretRef: ref}},
			secret: func(s *suite.Suite) client.Object {
				return s.Credential("account", "example.com", map[string]string{"api-key": "k"})
			},
			reason: v1alpha1.ReasonSecretNotAllowed, message: []string{"sms.example.com", "orderflow.dev/allowed-hosts"},
		},
		"the secret is for the third party, and not for its token endpoint": {
			auth: &v1alpha1.Auth{Type: v1alpha1.AuthOAuth2, OAuth2: &v1alpha1.OAuth2Auth{SecretRef: ref, TokenURL: "https://login.example.org/token"}},
			secret: func(s *suite.Suite) client.Object {
				return s.Credential("account", "sms.example.com", map[string]string{"client-id": "i", "client-secret": "s"})
			},
			reason: v1alpha1.ReasonSecretNotAllowed, message: []string{"login.example.org", "orderflow.dev/allowed-hosts"},
		},
		"nothing, as the secret is for both": {
			auth: &v1alpha1.Auth{Type: v1alpha1.AuthOAuth2, OAuth2: &v1alpha1.OAuth2Auth{SecretRef: ref, TokenURL: "https://login.example.org/token"}},
			secret: func(s *suite.Suite) client.Object {
				return s.Credential("account", "sms.example.com, login.example.org", map[string]string{"client-id": "i", "client-secret": "s"})
			},
			reason: v1alpha1.ReasonReady,
		},
		"the expression does not compile": {
			success: "response.body.code = 0", reason: v1alpha1.ReasonInvalidExpression, message: []string{"spec.response.successExpression", "column"},
		},
		"the expression is of another type": {
			success: "response.status + 1", reason: v1alpha1.ReasonInvalidExpression, message: []string{"spec.response.successExpression", "bool"},
		},
		"a rule does not compile": {
			rule: "response.body.code = 17", reason: v1alpha1.ReasonInvalidExpression, message: []string{"spec.response.rules[0].whenExpression", "column"},
		},
		"the expression sees no order": {
			success: "order.id != ''", reason: v1alpha1.ReasonInvalidExpression, message: []string{"undeclared reference", "response.status"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			adapter := w.Adapter("sms")
			adapter.Spec.Auth = test.auth
			if test.success != "" {
				adapter.Spec.Response = &v1alpha1.ResponseRules{SuccessExpression: test.success}
			}
			if test.rule != "" {
				adapter.Spec.Response = &v1alpha1.ResponseRules{Rules: []v1alpha1.ResponseRule{{WhenExpression: test.rule, Outcome: v1alpha1.ResponseDead}}}
			}
			if test.secret != nil {
				w.Create(t, test.secret(w.Suite))
			}
			w.Create(t, adapter)

			answer := w.step(t, adapter)

			ready, stalled := metav1.ConditionFalse, metav1.ConditionTrue
			if test.reason == v1alpha1.ReasonReady {
				ready, stalled = stalled, ready
			}
			suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, ready, test.reason, test.message...)
			suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionStalled, stalled, test.reason)
			if answer.RequeueAfter == 0 {
				t.Error("it would never be looked at again, although Secrets are not watched")
			}
		})
	}
}

func TestAnAdapterTellsHowItsThirdPartyIs(t *testing.T) {
	early, late := time.Now().Add(-time.Minute).Truncate(time.Second), time.Now().Truncate(time.Second)
	for sentence, test := range map[string]struct {
		reports []workersync.Report

		circuit v1alpha1.CircuitState
		down    metav1.ConditionStatus
		reason  string
		message []string
		err     string
	}{
		"one open circuit is an open circuit, and the last error counts": {
			reports: []workersync.Report{
				says(worker.CircuitClosed, "timeout", early), says(worker.CircuitOpen, "503 Service Unavailable", late), says(worker.CircuitClosed, "", late),
			},
			circuit: v1alpha1.CircuitOpen, down: metav1.ConditionTrue, reason: v1alpha1.ReasonCircuitOpen,
			message: []string{"1 of 3 pods", "wait in the broker", "503"}, err: "503 Service Unavailable",
		},
		"a circuit that is being tried is not closed yet": {
			reports: []workersync.Report{says(worker.CircuitHalfOpen, "", late), says(worker.CircuitClosed, "", late)},
			circuit: v1alpha1.CircuitHalfOpen, down: metav1.ConditionTrue, reason: v1alpha1.ReasonCircuitOpen,
		},
		"requests flow": {
			reports: []workersync.Report{says(worker.CircuitClosed, "", late), {Err: errors.New("no answer")}},
			circuit: v1alpha1.CircuitClosed, down: metav1.ConditionFalse, reason: v1alpha1.ReasonCircuitClosed, message: []string{"1 of 2 pods"},
		},
		"what no pod tells is not known": {
			reports: []workersync.Report{{Err: errors.New("no answer")}},
			circuit: v1alpha1.CircuitUnknown, down: metav1.ConditionUnknown, reason: v1alpha1.ReasonNotRead,
		},
		"a report of another third party does not count": {
			reports: []workersync.Report{{Answer: worker.SyncResponse{Adapters: []worker.AdapterReport{{Name: "points", Circuit: worker.CircuitOpen}}}}},
			circuit: v1alpha1.CircuitUnknown, down: metav1.ConditionUnknown, reason: v1alpha1.ReasonNotRead,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			adapter, group := w.Adapter("sms"), w.Group("push", "Orders")
			w.Create(t, adapter, group)
			w.reports["push"] = test.reports
			w.step(t, adapter)
			if adapter.Status.Circuit != test.circuit || adapter.Status.LastError != test.err {
				t.Errorf("circuit is %s and the last error %q, want %s and %q", adapter.Status.Circuit, adapter.Status.LastError, test.circuit, test.err)
			}
			suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionThirdPartyDown, test.down, test.reason, test.message...)
			suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		})
	}
}

func TestAnAdapterIsNotReadyWhilePodsFindItWrong(t *testing.T) {
	now := time.Now()
	for sentence, test := range map[string]struct {
		report  workersync.Report
		reason  string
		message []string
	}{
		"an address third parties may not have": {
			report: says(worker.CircuitClosed, "AddressRefused: the address 10.2.0.1 is private", now.Add(-5*time.Second)),
			reason: v1alpha1.ReasonAddressRefused, message: []string{"the address 10.2.0.1 is private", "correct spec.url", "-private-networks"},
		},
		"a key that is not mounted": {
			report: says(worker.CircuitClosed, `CredentialMissing: the Secret's key "token" is missing`, now.Add(-5*time.Second)),
			reason: v1alpha1.ReasonCredentialMissing, message: []string{"key \"token\" is missing", "spec.auth"},
		},
		"an account that is refused, as a rule says": {
			report: says(worker.CircuitClosed, "AccountRefused: answered 200, and response.rules[0] says Park", now.Add(-5*time.Second)),
			reason: v1alpha1.ReasonAccountRefused, message: []string{"response.rules[0] says Park", "settle it with the third party"},
		},
		"not one request that is refused among others that are taken": {
			report: says(worker.CircuitClosed, "CredentialRefused: answered 403", now.Add(-5*time.Second)), reason: v1alpha1.ReasonReady,
		},
		"a credential that is refused": {
			report: says(worker.CircuitHalfOpen, "CredentialRefused: answered 401", now.Add(-5*time.Second)),
			reason: v1alpha1.ReasonCredentialRefused, message: []string{"answered 401", "correct the values in the Secret"},
		},
		"a credential that was refused, and is not tried before the circuit closes": {
			report: says(worker.CircuitOpen, "CredentialRefused: answered 401", now.Add(-time.Hour)),
			reason: v1alpha1.ReasonCredentialRefused,
		},
		"not what was put right": {
			report: says(worker.CircuitClosed, "AddressRefused: the address 10.2.0.1 is private", now.Add(-time.Hour)),
			reason: v1alpha1.ReasonReady,
		},
		"not what the third party does": {
			report: says(worker.CircuitOpen, "Timeout: no answer within 3s", now), reason: v1alpha1.ReasonReady,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			adapter := w.Adapter("sms")
			w.Create(t, adapter, w.Group("push", "Orders"))
			w.reports["push"] = []workersync.Report{says(worker.CircuitClosed, "", now), test.report}
			w.step(t, adapter)
			ready := metav1.ConditionFalse
			if test.reason == v1alpha1.ReasonReady {
				ready = metav1.ConditionTrue
			}
			suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, ready, test.reason, test.message...)
			// A stalled adapter would keep groups from replacing the pods that report it.
			suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionFalse, test.reason)
		})
	}
}

func TestAThirdPartyThatGoesAndComesBackIsToldOnceEach(t *testing.T) {
	w := newWorld(t)
	adapter := w.Adapter("sms")
	w.Create(t, adapter, w.Group("push", "Orders"))
	var told []string
	for _, circuit := range []worker.Circuit{worker.CircuitClosed, worker.CircuitOpen, worker.CircuitOpen, worker.CircuitHalfOpen, worker.CircuitClosed, worker.CircuitClosed} {
		w.reports["push"] = []workersync.Report{says(circuit, "", w.Now())}
		w.step(t, adapter)
		for _, event := range w.Events() {
			words := strings.Fields(event)
			told = append(told, words[0]+" "+words[1])
		}
	}
	if got, want := strings.Join(told, ", "), "Normal Ready, Warning CircuitOpen, Normal CircuitClosed"; got != want {
		t.Errorf("events were %s, want %s", got, want)
	}
}

func TestTheLimitsAreSharedByAllPodsThatMayCall(t *testing.T) {
	w := newWorld(t)
	adapter := w.Adapter("sms")
	adapter.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 90}
	adapter.Spec.Concurrency = &v1alpha1.AdapterConcurrency{Max: 2}
	w.Create(t, adapter)
	w.step(t, adapter)
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionThirdPartyDown, metav1.ConditionFalse, v1alpha1.ReasonUnused)

	fixed, scaled, other := w.Group("b-fixed", "Orders"), w.Group("a-scaled", "Orders"), w.Group("other", "Orders")
	fixed.Spec.Replicas = new(int32(1))
	scaled.Spec.Scaling = &v1alpha1.Scaling{MaxReplicas: 2}
	other.Spec.Handler.Push.AdapterRef.Name = "points"
	w.Create(t, fixed, scaled, other)
	w.step(t, adapter)
	want := v1alpha1.AdapterShare{Pods: 3, RequestsPerSecond: "30", Concurrency: 1}
	if adapter.Status.Share == nil || *adapter.Status.Share != want {
		t.Errorf("the share is %+v, want %+v", adapter.Status.Share, want)
	}
	if got := strings.Join(adapter.Status.ConsumerGroups, " "); got != "a-scaled b-fixed" {
		t.Errorf("the groups are %s", got)
	}
	suite.WantCondition(t, adapter.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "3 pods", "more than concurrency.max 2")
}
