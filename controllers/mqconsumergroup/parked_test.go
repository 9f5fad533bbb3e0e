// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// parkedPod is a pod that hands out no message since some time before noon.
func parkedPod(name, reason string, since time.Duration) workersync.Report {
	report := answers(name, worker.CircuitClosed, "")
	report.Answer.Parked, report.Answer.ParkedReason, report.Answer.ParkedSince = true, reason, new(noon.Add(-since))
	return report
}

func TestWhyPodsAreParked(t *testing.T) {
	flows := answers("a", worker.CircuitClosed, "")
	holds := answers("a", worker.CircuitClosed, "")
	holds.Answer.QueuesHeld = 3
	for sentence, test := range map[string]struct {
		reports []workersync.Report
		status  metav1.ConditionStatus
		reason  string
		says    string
		stalls  bool
	}{
		"messages flow": {[]workersync.Report{flows}, metav1.ConditionFalse, v1alpha1.ReasonNotParked, "no pod is parked", false},
		"an address is refused": {[]workersync.Report{flows, parkedPod("b", "AddressRefused", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonAddressRefused, "1 of 2 pods hand out no message since 2026-11-01T11:59:00Z: the host of an adapter's url", true},
		"a URL leads nowhere": {[]workersync.Report{parkedPod("a", "NothingThere", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonNothingThere, "correct spec.url", true},
		"a credential is missing": {[]workersync.Report{parkedPod("a", "CredentialMissing", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonCredentialMissing, "correct the Secret", true},
		"a dead letter is refused": {[]workersync.Report{parkedPod("a", "DeadLetterRefused", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonDeadLetterRefused, "check that the broker is up", false},
		"a credential is refused": {[]workersync.Report{parkedPod("a", "CredentialRefused", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonCredentialRefused, "renew it in the Secret", false},
		"no token is to be had": {[]workersync.Report{parkedPod("a", "TokenUnavailable", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonTokenUnavailable, "spec.auth.oauth2.tokenURL", false},
		"the account is refused": {[]workersync.Report{parkedPod("a", "AccountRefused", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonAccountRefused, "settle it with the third party", false},
		"the account's limit is reached": {[]workersync.Report{parkedPod("a", "RateLimited", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonRateLimited, "raise rateLimit", false},
		"a pause at a limit is nothing to tell": {[]workersync.Report{parkedPod("a", "RateLimited", time.Second)},
			metav1.ConditionFalse, v1alpha1.ReasonNotParked, "", false},
		"a circuit is open": {[]workersync.Report{parkedPod("a", "CircuitOpen", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen, "see ThirdPartyDown", false},
		"a probe failed, for a reason this operator does not know": {[]workersync.Report{parkedPod("a", "not a reason!", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen, "(not a reason!)", false},
		"what somebody has to change comes before what passes": {[]workersync.Report{parkedPod("a", "RateLimited", time.Hour), parkedPod("b", "NothingThere", time.Minute)},
			metav1.ConditionTrue, v1alpha1.ReasonNothingThere, "2 of 2 pods hand out no message since 2026-11-01T11:00:00Z", true},
		"queues have no offset": {[]workersync.Report{holds}, metav1.ConditionTrue, v1alpha1.ReasonOffsetsNotSeeded, "3 queues are held back", false},
		"no pod answers":        {[]workersync.Report{silent("a")}, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "no pod has answered", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.reports, seen.pods = test.reports, []corev1.Pod{runningPod("a")}
			suite.WantCondition(t, []metav1.Condition{parked(seen, noon)}, v1alpha1.ConditionParked, test.status, test.reason, test.says)
			if got := flowing(seen, noon); got.IsDone() == test.stalls {
				t.Errorf("it stalls is %t: %s", !got.IsDone(), got.Message)
			}
		})
	}
}

// probing is a pod whose circuit is open and that tries one message again and again since a minute before noon; it has so many.
func probing(name string, failed, messages int) workersync.Report {
	report := parkedPod(name, "CircuitOpen", time.Minute)
	report.Answer.Waiting = messages
	report.Answer.Probe = &worker.Probe{Queue: "Orders@broker-a#3", Offset: 42, MessageID: "C0A8", Failed: failed, Since: noon.Add(-time.Minute)}
	return report
}

func TestTheOnlyMessageThatIsLeftToTryIsNamed(t *testing.T) {
	for sentence, test := range map[string]struct {
		reports []workersync.Report
		reason  string
	}{
		"it fails again and again":       {[]workersync.Report{probing("a", 5, 1)}, v1alpha1.ReasonProbeFailing},
		"it has failed a few times":      {[]workersync.Report{probing("a", 4, 1)}, v1alpha1.ReasonCircuitOpen},
		"the pod has another":            {[]workersync.Report{probing("a", 5, 2)}, v1alpha1.ReasonCircuitOpen},
		"another pod has one, to try it": {[]workersync.Report{probing("a", 5, 1), probing("b", 1, 1)}, v1alpha1.ReasonCircuitOpen},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.reports = test.reports
			c := parked(seen, noon)
			suite.WantCondition(t, []metav1.Condition{c}, v1alpha1.ConditionParked, metav1.ConditionTrue, test.reason)
			named := strings.Contains(c.Message, "message C0A8, offset 42 of queue Orders@broker-a#3, is the only one left to try, and fails again and again since 2026-11-01T11:59:00Z") &&
				strings.Contains(c.Message, "name it in spec.skipMessageIDs")
			if named != (test.reason == v1alpha1.ReasonProbeFailing) {
				t.Errorf("it says %q", c.Message)
			}
		})
	}
}

func TestWhereEveryPodIsParkedNoRequestsFlow(t *testing.T) {
	seen := ready()
	seen.reports = []workersync.Report{parkedPod("a", "AddressRefused", time.Minute)}
	setStatus(seen.group, seen, steps{flow: flowing(seen, noon)}, noon)
	conditions := seen.group.Status.Conditions
	suite.WantCondition(t, conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAddressRefused, "spec.url")
	suite.WantCondition(t, conditions, v1alpha1.ConditionParked, metav1.ConditionTrue, v1alpha1.ReasonAddressRefused)
	suite.WantCondition(t, conditions, v1alpha1.ConditionThirdPartyDown, metav1.ConditionFalse, v1alpha1.ReasonCircuitClosed, "pods are parked for another reason")
	for _, c := range conditions {
		if strings.Contains(c.Message, "requests flow") {
			t.Errorf("%s says %q", c.Type, c.Message)
		}
	}
}

func TestThePulseSeesThatPodsAreParked(t *testing.T) {
	seen := ready()
	seen.reports = []workersync.Report{answers("a", worker.CircuitClosed, "")}
	setStatus(seen.group, seen, steps{}, noon)
	later := noon.Add(time.Minute)
	if worthTelling(seen, later, later.Add(-tellPeriod)) {
		t.Fatal("nothing happened, and somebody is told")
	}
	seen.reports = []workersync.Report{silent("a")}
	seen.pods = []corev1.Pod{runningPod("a")}
	setStatus(seen.group, seen, steps{}, noon)
	if seen.pods = nil; worthTelling(seen, later, later.Add(-tellPeriod)) { // the pulse reads no pods
		t.Fatal("no pod answers, as before, and somebody is told")
	}
	seen.reports = []workersync.Report{parkedPod("a", "AddressRefused", 0)}
	if !worthTelling(seen, later, later.Add(-tellPeriod)) {
		t.Error("nobody is told")
	}
}
