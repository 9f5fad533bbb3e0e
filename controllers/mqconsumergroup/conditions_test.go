// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

func TestThirdPartyDown(t *testing.T) {
	was := func(status metav1.ConditionStatus) func(*inputs) {
		return func(seen *inputs) {
			seen.group.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionThirdPartyDown, Status: status, LastTransitionTime: metav1.NewTime(noon.Add(-time.Hour)),
			}}
		}
	}
	for sentence, test := range map[string]struct {
		before  func(*inputs)
		reports []workersync.Report
		status  metav1.ConditionStatus
		reason  string
		says    string
	}{
		"requests flow": {nil, []workersync.Report{answers("a", worker.CircuitClosed, ""), answers("b", worker.CircuitClosed, "")},
			metav1.ConditionFalse, v1alpha1.ReasonCircuitClosed, "requests flow"},
		"a circuit opened": {nil, []workersync.Report{answers("a", worker.CircuitOpen, "503"), answers("b", worker.CircuitClosed, "")},
			metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen,
			"circuit of adapter sms is open in 1 of 2 pods since 2026-11-01T12:00:00Z: 4,210 messages wait in the broker; they are sent when the third party is back; last error: 503"},
		"it has been open for an hour": {was(metav1.ConditionTrue), []workersync.Report{answers("a", worker.CircuitOpen, ""), answers("b", worker.CircuitOpen, "")},
			metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen, "open in 2 of 2 pods since 2026-11-01T11:00:00Z"},
		"a pod that probes is not back": {was(metav1.ConditionTrue), []workersync.Report{answers("a", worker.CircuitHalfOpen, "")},
			metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen, "open in 1 of 1 pods"},
		"a pod that does not answer is not counted": {nil, []workersync.Report{answers("a", worker.CircuitOpen, ""), silent("b")},
			metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen, "open in 1 of 1 pods"},
		"no pod answers": {was(metav1.ConditionTrue), []workersync.Report{silent("a")},
			metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "no pod answered that calls adapter sms"},
		"a shadow calls nobody": {func(seen *inputs) { seen.group.Spec.Dispatch = v1alpha1.DispatchShadow }, nil,
			metav1.ConditionFalse, v1alpha1.ReasonCircuitClosed, "no third party is called: dispatch is Shadow"},
		"it is back": {was(metav1.ConditionTrue), []workersync.Report{answers("a", worker.CircuitClosed, "503")},
			metav1.ConditionFalse, v1alpha1.ReasonCircuitClosed, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.reports, seen.signals.Lag = test.reports, 4210
			if test.before != nil {
				test.before(seen)
			}
			suite.WantCondition(t, []metav1.Condition{thirdPartyDown(seen.group, seen, noon)}, v1alpha1.ConditionThirdPartyDown, test.status, test.reason, test.says)
		})
	}
}

func TestThePodThatProbesForAllIsNamed(t *testing.T) {
	seen := ready()
	report := answers("a", worker.CircuitOpen, "503")
	report.Probers = map[string]workersync.Prober{"sms": {Pod: workersync.Pod{Group: types.NamespacedName{Namespace: "shop", Name: "credit"}, Name: "credit-1"}, Since: noon.Add(time.Second / 2)}}
	seen.reports = []workersync.Report{report}
	suite.WantCondition(t, []metav1.Condition{thirdPartyDown(seen.group, seen, noon)}, v1alpha1.ConditionThirdPartyDown, metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen,
		"; pod credit-1 of group credit looks for its return since 2026-11-01T12:00:00Z, all others wait for what it finds; last error: 503")
	setStatus(seen.group, seen, steps{}, noon)
	if use := seen.group.Status.Adapters[0]; use.Prober != "credit-1" || !use.ProberSince.Time.Equal(noon) {
		t.Errorf("the status names %q since %v", use.Prober, use.ProberSince)
	}
	seen.group.Status.Adapters[0].Prober = "credit-0"
	if reportsMoved(seen) {
		t.Error("another prober, as in an outage there is every few seconds, has every group looked at")
	}
	seen.group.Status.Adapters[0].Circuit = v1alpha1.CircuitClosed
	if !reportsMoved(seen) {
		t.Error("a circuit opened, and nobody writes it down")
	}
}

func TestALagThatIsNotKnownIsNotClaimed(t *testing.T) {
	seen := ready()
	seen.reports = []workersync.Report{answers("a", worker.CircuitOpen, "")}
	got := thirdPartyDown(seen.group, seen, noon.Add(time.Minute))
	suite.WantCondition(t, []metav1.Condition{got}, v1alpha1.ConditionThirdPartyDown, metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen, ": messages wait in the broker")
	var status v1alpha1.MQConsumerGroupStatus
	if setLag(&status, seen, noon.Add(time.Minute)); status.Lag != nil || status.DeadLetters != nil {
		t.Errorf("a lag of a minute ago is given as %v", status.Lag)
	}
}

func TestConfigCurrent(t *testing.T) {
	current := func(pod, structure, revision string) workersync.Report {
		return workersync.Report{Pod: pod, Answer: worker.SyncResponse{Structure: structure, LiveRevision: revision}}
	}
	for sentence, test := range map[string]struct {
		reports []workersync.Report
		pods    []corev1.Pod
		status  metav1.ConditionStatus
		reason  string
		says    string
	}{
		"there is no pod":              {nil, nil, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		"every pod has it":             {[]workersync.Report{current("a", "s", "r")}, []corev1.Pod{runningPod("a")}, metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		"a pod has older limits":       {[]workersync.Report{current("a", "s", "r"), current("b", "s", "old")}, nil, metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated, "pod b runs with s and limits old, wanted are s and r"},
		"a pod has an older structure": {[]workersync.Report{current("a", "old", "r")}, nil, metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated, "pod a"},
		"a pod cannot take its limits over": {[]workersync.Report{{Pod: "a", Answer: worker.SyncResponse{Structure: "s", LiveRevision: "old", LiveProblem: "version 2 is not known"}}}, nil,
			metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated, "pod a keeps the limits old, as it cannot take over those wanted, r: version 2 is not known"},
		"a pod cannot use a Secret as it is now": {[]workersync.Report{{Pod: "a", Answer: worker.SyncResponse{Structure: "s", LiveRevision: "r",
			Adapters: []worker.AdapterReport{{Name: "sms", CredentialProblem: `the Secret's key "token" is empty`}}}}}, nil,
			metav1.ConditionFalse, v1alpha1.ReasonConfigOutdated, `pod a calls adapter sms with the credentials it had before, as it cannot use those there are now: the Secret's key "token" is empty: correct the Secret`},
		"a pod does not answer":   {[]workersync.Report{silent("a")}, nil, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "pod a does not answer: connection refused: check that no NetworkPolicy but ours keeps the operator from port 8443"},
		"a pod was not asked yet": {nil, []corev1.Pod{runningPod("a")}, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "pod a was not asked yet: it has no address, or runs for some seconds only"},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.reports, seen.pods = test.reports, test.pods
			seen.group.Status.StructureName, seen.group.Status.LiveRevision = "s", "r"
			suite.WantCondition(t, []metav1.Condition{configCurrent(seen)}, v1alpha1.ConditionConfigCurrent, test.status, test.reason, test.says)
		})
	}
}

func TestWhyAPodIsNotReady(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	ended := func(message string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 1, Message: message}}
	}
	for sentence, test := range map[string]struct {
		status corev1.ContainerStatus
		want   string
	}{
		"its image cannot be pulled": {corev1.ContainerStatus{State: waiting("ImagePullBackOff", "no such image")}, "ImagePullBackOff: no such image"},
		"it is being made":           {corev1.ContainerStatus{State: waiting("ContainerCreating", "")}, "ContainerCreating"},
		"it ends again and again": {corev1.ContainerStatus{State: waiting("CrashLoopBackOff", "back-off 40s"), LastTerminationState: ended("read the structure:\n\tversion 9 is not known\n")},
			"CrashLoopBackOff: back-off 40s; it ended with code 1 (Error): read the structure: version 9 is not known"},
		"it has just ended":      {corev1.ContainerStatus{State: ended("")}, "it ended with code 1 (Error)"},
		"it said more than fits": {corev1.ContainerStatus{State: ended(strings.Repeat("ä", 1000) + " at last")}, "it ended with code 1 (Error): …"},
		"it runs":                {corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, "it runs, but is not ready"},
		"it is ready":            {corev1.ContainerStatus{Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			pod := runningPod("a")
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{test.status}
			got := notReady(&pod)
			if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" || len(got) > 500 || strings.Contains(got, "\n") {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want != "" && test.want[len(test.want)-3:] == "…" && !strings.HasSuffix(got, "at last") {
				t.Errorf("the last words are missing in %q", got)
			}
		})
	}
}

func TestPodsThatKubernetesDoesNotMakeAreExplained(t *testing.T) {
	d := deployment(ready(), "push-abc", 2)
	d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota: pods=10"}}
	if got := podsReady(d, nil).Message; !strings.Contains(got, "0 of 2 pods are ready") || !strings.Contains(got, "exceeded quota: pods=10") {
		t.Errorf("it says %q", got)
	}
}

func TestHowFarPodsAreReplacedIsSaid(t *testing.T) {
	for sentence, test := range map[string]struct {
		status appsv1.DeploymentStatus
		want   string
	}{
		"Kubernetes has not seen the change": {appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2},
			"2 of 2 pods are ready; Kubernetes has not looked at the Deployment since it was changed"},
		"a new pod starts beside those of before": {appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 1, ReadyReplicas: 2},
			"2 of 2 pods are ready; up to date: 1, of before: 2"},
		"the last pod of before ends": {appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, ReadyReplicas: 3},
			"3 of 2 pods are ready; up to date: 2, of before: 1"},
		"pods start":      {appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 1}, "1 of 2 pods are ready"},
		"one is too many": {appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3}, "3 of 2 pods are ready"},
		"all is done":     {appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2}, ""},
	} {
		d := deployment(ready(), "push-abc", 2)
		d.Generation, d.Status = 2, test.status
		if got := podsReady(d, nil).Message; got != test.want {
			t.Errorf("%s: it says %q, want %q", sentence, got, test.want)
		}
	}
}

func TestScalingSaysWhatHoldsIt(t *testing.T) {
	for bound, want := range map[v1alpha1.ScalingBound]metav1.ConditionStatus{
		v1alpha1.BoundNone: metav1.ConditionTrue, v1alpha1.BoundMinimum: metav1.ConditionTrue, v1alpha1.BoundMaximum: metav1.ConditionTrue,
		v1alpha1.BoundQueues: metav1.ConditionTrue, v1alpha1.BoundFixed: metav1.ConditionFalse, v1alpha1.BoundCircuitOpen: metav1.ConditionFalse,
		v1alpha1.BoundLagUnknown: metav1.ConditionFalse, v1alpha1.BoundRateUnknown: metav1.ConditionFalse, v1alpha1.BoundInFlight: metav1.ConditionFalse,
		v1alpha1.BoundStepLimit: metav1.ConditionFalse, v1alpha1.BoundRolloutInProgress: metav1.ConditionFalse, v1alpha1.BoundSuspended: metav1.ConditionFalse,
	} {
		group := push()
		group.Status.Scaling = &v1alpha1.ScalingStatus{Bound: bound, Message: "because"}
		reason := string(bound)
		if bound == v1alpha1.BoundNone {
			reason = v1alpha1.ReasonReady
		}
		suite.WantCondition(t, []metav1.Condition{follows(group)}, v1alpha1.ConditionScaling, want, reason, "because")
	}
}

func TestInFlightIsKnownOnlyIfEveryPodSaysSo(t *testing.T) {
	busy := workersync.Report{Pod: "a", Answer: worker.SyncResponse{InFlight: 3}}
	for sentence, test := range map[string]struct {
		reports []workersync.Report
		pods    []corev1.Pod
		want    int
	}{
		"both said so":               {[]workersync.Report{busy, busy}, []corev1.Pod{runningPod("a"), runningPod("b")}, 6},
		"one did not answer":         {[]workersync.Report{busy, silent("b")}, []corev1.Pod{runningPod("a"), runningPod("b")}, -1},
		"one was not asked":          {[]workersync.Report{busy}, []corev1.Pod{runningPod("a"), runningPod("b")}, -1},
		"none was asked, two wanted": {nil, nil, -1},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.deployment = deployment(seen, "push-abc", 2)
			seen.reports, seen.pods = test.reports, test.pods
			if got := inFlight(seen); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestWhichMessagesWereSkipped(t *testing.T) {
	seen := ready()
	before, _ := live(seen)
	seen.group.Spec.SkipMessageIDs = []string{"A", "B", "C"}
	seen.group.Status.SkippedMessageIDs = []string{"A", "Z"} // Z is not wanted any more, and A was met by a pod that is gone
	seen.reports = []workersync.Report{{Pod: "a"}, {Pod: "b", Answer: worker.SyncResponse{SkippedMessageIDs: []string{"C", "Y"}}}}
	if diff := cmp.Diff([]string{"A", "C"}, skipped(seen)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !worthTelling(seen, noon, noon) {
		t.Error("a message was skipped, and nobody writes it down")
	}
	after, _ := live(seen)
	if !slices.Equal(after.SkipMessageIDs, seen.group.Spec.SkipMessageIDs) || before.Revision == after.Revision {
		t.Errorf("the pods are told %v, in revision %s after %s", after.SkipMessageIDs, after.Revision, before.Revision)
	}
}
