// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// stopped is a pod that has taken a suspension over and has nothing left to do, changed.
func stopped(pod string, change func(*worker.SyncResponse)) workersync.Report {
	r := workersync.Report{Pod: pod, Time: noon, Answer: worker.SyncResponse{Suspension: &worker.Suspension{Reason: worker.ReasonSuspended}}}
	if change != nil {
		change(&r.Answer)
	}
	return r
}

// suspended is a group with a pod or more, suspended a minute ago, whose pods have nothing in flight.
func suspended(reports ...workersync.Report) *inputs {
	seen := ready()
	seen.group.Spec.Suspend = new(true)
	seen.suspended = suspensionOf(seen.group, nil)
	seen.group.Status.Suspension = &v1alpha1.SuspensionStatus{StartTime: metav1.NewTime(noon.Add(-time.Minute))}
	seen.reports, seen.delayed = reports, &delayed{}
	for _, r := range reports {
		seen.pods = append(seen.pods, runningPod(r.Pod))
	}
	return seen
}

func TestAGroupIsDrainedWhenNothingRunsAndNothingIsAboutToCome(t *testing.T) {
	busy := func(a *worker.SyncResponse) { a.InFlight, a.Suspension.Draining = 3, true }
	undone := func(a *worker.SyncResponse) { a.Suspension.Uncommitted = 7 }
	for sentence, c := range map[string]struct {
		seen   func() *inputs
		status metav1.ConditionStatus
		reason string
		says   string
	}{
		"every pod is done": {func() *inputs { return suspended(stopped("a", nil), stopped("b", nil)) },
			metav1.ConditionTrue, v1alpha1.ReasonDrained, "nothing is in flight in 2 pods"},
		"there is no pod": {func() *inputs { return suspended() }, metav1.ConditionTrue, v1alpha1.ReasonDrained, ""},
		"a pod handles messages": {func() *inputs { return suspended(stopped("a", busy), stopped("b", nil)) },
			metav1.ConditionFalse, v1alpha1.ReasonInFlight, "3 messages are being handled yet in pods a: "},
		"a pod has not heard of it": {func() *inputs { return suspended(stopped("a", nil), answers("b", worker.CircuitClosed, "")) },
			metav1.ConditionFalse, v1alpha1.ReasonInFlight, "pods have not taken the suspension over yet, which takes seconds: b"},
		"a pod answered before": {func() *inputs {
			early := stopped("a", nil)
			early.Time = noon.Add(-2 * time.Minute)
			return suspended(early)
		}, metav1.ConditionFalse, v1alpha1.ReasonInFlight, "not taken the suspension over yet"},
		"a pod does not answer": {func() *inputs { return suspended(stopped("a", nil), silent("b")) },
			metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "pod b does not answer: connection refused"},
		"a pod was not asked": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.pods = append(seen.pods, runningPod("b"))
			return seen
		}, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "pod b was not asked yet"},
		"a pod that is to start has nothing in flight": {func() *inputs {
			seen := suspended(stopped("a", nil))
			pod := runningPod("b")
			pod.Status.Phase = corev1.PodPending
			seen.pods = append(seen.pods, pod)
			return seen
		}, metav1.ConditionTrue, v1alpha1.ReasonDrained, ""},
		"Kubernetes counts more pods than were asked": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.deployment = &appsv1.Deployment{Status: appsv1.DeploymentStatus{ReadyReplicas: 2}}
			return seen
		}, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "1 pods were not asked yet"},
		"messages that are done would come again": {func() *inputs { return suspended(stopped("a", undone), stopped("b", nil)) },
			metav1.ConditionFalse, v1alpha1.ReasonOffsetsNotCommitted, "7 messages that are done would be handled again"},
		"what is known to run stands above what is not known": {func() *inputs { return suspended(stopped("a", busy), silent("b")) },
			metav1.ConditionFalse, v1alpha1.ReasonInFlight, ""},
		"messages wait for their next attempt": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.delayed = &delayed{due: noon.Add(10 * time.Minute), broker: "broker-b"}
			return seen
		}, metav1.ConditionFalse, v1alpha1.ReasonRetriesPending, "messages wait in a delay level of broker broker-b for their next attempt until 2026-11-01T12:10:01Z"},
		"so many wait that not each is looked at": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.delayed = &delayed{due: noon.Add(time.Minute), unseen: 2 * time.Hour, broker: "broker-b"}
			return seen
		}, metav1.ConditionFalse, v1alpha1.ReasonRetriesPending, "at the latest until 2026-11-01T14:00:01Z: too many messages wait"},
		"a broker is late": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.delayed = &delayed{due: noon.Add(-10 * time.Second)}
			return seen
		}, metav1.ConditionFalse, v1alpha1.ReasonRetriesPending, "which has passed: the broker is late"},
		"a broker does not say what waits": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.delayed.unknown = "broker broker-b is away"
			return seen
		}, metav1.ConditionUnknown, v1alpha1.ReasonRetriesPending, "broker broker-b is away"},
		"no broker was reached": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.reached = result.Wait(v1alpha1.ReasonBrokerUnreachable, 0, "broker-a does not answer")
			return seen
		}, metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "broker-a does not answer"},
		"the brokers were not asked yet": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.delayed = nil
			return seen
		}, metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "the brokers are asked next"},
		"somebody else's members go on": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.broker.members = []string{"10.0.0.1@7"}
			return seen
		}, metav1.ConditionFalse, v1alpha1.ReasonForeignConsumersOnline, "10.0.0.1@7"},
		"where every pod gets every message nothing waits": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.group.Spec.Consume.Model, seen.delayed = v1alpha1.ConsumeBroadcasting, nil
			return seen
		}, metav1.ConditionTrue, v1alpha1.ReasonDrained, ""},
		"the deadline has passed": {func() *inputs {
			seen := suspended(stopped("a", busy))
			seen.group.Spec.DrainDeadline = duration(time.Minute)
			return seen
		}, metav1.ConditionFalse, v1alpha1.ReasonDrainDeadlineExceeded, "not drained 1m0s after it was suspended at 2026-11-01T11:59:00Z (spec.drainDeadline): 3 messages are being handled yet in pods a"},
		"the deadline has passed, and nobody answers": {func() *inputs {
			seen := suspended(silent("a"))
			seen.group.Spec.DrainDeadline = duration(time.Minute)
			return seen
		}, metav1.ConditionUnknown, v1alpha1.ReasonDrainDeadlineExceeded, "pod a does not answer"},
		"the deadline has passed of a group that is drained": {func() *inputs {
			seen := suspended(stopped("a", nil))
			seen.group.Spec.DrainDeadline = duration(time.Second)
			return seen
		}, metav1.ConditionTrue, v1alpha1.ReasonDrained, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := c.seen()
			status := &seen.group.Status
			setSuspension(status, seen, noon) // which notes that pods have settled,
			setSuspension(status, seen, noon) // and then what waits
			suite.WantCondition(t, drained(seen.group, seen, noon), v1alpha1.ConditionDrained, c.status, c.reason, c.says)
		})
	}
}

func TestAGroupThatWasDrainedAndHasAPodAtWorkAgainIsNot(t *testing.T) {
	seen := suspended(stopped("a", nil))
	setStatus(seen.group, seen, steps{}, noon)
	if drainMoved(seen, noon) {
		t.Error("nothing has changed, and the group is looked at")
	}
	seen.reports = []workersync.Report{silent("a")}
	if !drainMoved(seen, noon) {
		t.Error("a pod does not answer any more, and nobody looks")
	}
	setStatus(seen.group, seen, steps{}, noon)
	if s := seen.group.Status.Suspension; s.SettledTime != nil {
		t.Error("what is settled is not known, and the status says since when")
	}
	suite.WantCondition(t, seen.group.Status.Conditions, v1alpha1.ConditionDrained, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering)
	if late := noon.Add(time.Hour); !drainMoved(seen, late) {
		t.Error("the deadline has passed, and nobody looks")
	}
}

func TestWhatAGroupIsSuspendedBy(t *testing.T) {
	group, adapter := push(), sms()
	adapters := map[string]*v1alpha1.ThirdPartyAdapter{"sms": adapter}
	if s := suspensionOf(group, adapters); s.holds() {
		t.Errorf("nothing suspends it, and yet %+v", s)
	}
	adapter.Spec.Suspend = new(true)
	if s := suspensionOf(group, adapters); s.reason != worker.ReasonAdapterSuspended || !strings.Contains(s.by, "ThirdPartyAdapter sms") {
		t.Errorf("got %+v", s)
	}
	group.Spec.Suspend = new(true)
	if s := suspensionOf(group, adapters); s.reason != worker.ReasonSuspended {
		t.Errorf("got %+v", s)
	}
}

// given is what the group's pods were given last.
func (w *world) given() string {
	w.t.Helper()
	limits := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: liveName(w.group)}}
	w.Read(w.t, limits)
	return limits.Data["live.json"]
}

// A group without pods, of which a message waits for its next attempt.
func TestASuspendedGroupIsDrainedWhenItsLastRetryHasComeBack(t *testing.T) {
	mq := fake.Start(t, fake.Config{Brokers: 2, DelayLevels: []time.Duration{time.Hour}})
	w := newWorldOn(t, mq.NameServer(), func(g *v1alpha1.MQConsumerGroup) { g.Spec.Replicas = new(int32(0)) })
	w.settle()
	w.roll()
	structure := structureOf(w.deployment())
	w.sendBack(1)

	w.group.Spec.Suspend = new(true)
	w.Write(t, w.group)
	w.must(second(w.reconcile()))
	if !strings.Contains(w.given(), `"suspended":"Suspended"`) || structureOf(w.deployment()) != structure {
		t.Errorf("pods are given %s", w.given())
	}
	w.want(v1alpha1.ConditionParked, metav1.ConditionTrue, v1alpha1.ReasonSuspended, "spec.suspend is true")
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "spec.suspend is true")
	w.want(v1alpha1.ConditionDrained, metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "the brokers are asked next")
	answer, err := w.reconcile()
	w.must(err)
	if answer.RequeueAfter > interval {
		t.Errorf("it is looked at again after %v", answer.RequeueAfter)
	}
	w.want(v1alpha1.ConditionDrained, metav1.ConditionFalse, v1alpha1.ReasonRetriesPending, "broker broker-a", "until ")
	if s := w.group.Status.Suspension; s.RetriesUntil == nil || s.RetriesUntil.Sub(w.Now()) > time.Hour+time.Second { // it is told in whole seconds
		t.Errorf("the status says %+v", s)
	}
	w.later = 31 * time.Minute
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionDrained, metav1.ConditionFalse, v1alpha1.ReasonDrainDeadlineExceeded, "not drained 30m0s after it was suspended")
	if events := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "Warning DrainDeadlineExceeded") }) ||
		!slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "Normal Suspended") }) {
		t.Errorf("the events are %q", events)
	}

	mq.Elapse()
	w.eventually("the message is said to have come back", func() bool {
		w.must(second(w.reconcile()))
		return w.group.Status.Suspension.RetriesUntil == nil
	})
	w.want(v1alpha1.ConditionDrained, metav1.ConditionTrue, v1alpha1.ReasonDrained)
	if events := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "Normal Drained") }) {
		t.Errorf("the events are %q", events)
	}

	w.group.Spec.Suspend = nil
	w.Write(t, w.group)
	w.must(second(w.reconcile()))
	if strings.Contains(w.given(), "suspended") || w.group.Status.Suspension != nil ||
		slices.ContainsFunc(w.group.Status.Conditions, func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionDrained }) {
		t.Errorf("it is not suspended any more: %s, %+v", w.given(), w.group.Status)
	}
}

// sendBack stores a message and sends it back for another attempt.
func (w *world) sendBack(level int) {
	w.t.Helper()
	b := w.brokers[0]
	q := rocketmq.Queue{Topic: "Orders", Broker: b.name}
	w.send(0, 1)
	var pulled rocketmq.PullResult
	w.eventually("the message can be read", func() bool { // which is a moment after a broker has confirmed it
		var err error
		pulled, err = w.client.Pull(w.t.Context(), b.addr, rocketmq.PullRequest{Group: w.group.Spec.Group, Queue: q, MaxMessages: 1, Subscription: rocketmq.Subscription{Topic: "Orders", Expression: "*"}})
		w.must(err)
		return len(pulled.Messages) == 1
	})
	w.must(w.client.SendBack(w.t.Context(), b.addr, rocketmq.SendBackRequest{Group: w.group.Spec.Group, Message: &pulled.Messages[0], DelayLevel: level, MaxReconsume: 16}))
}

func TestAMessageIsFoundAmongThoseOfOthersThatWait(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	b, level := w.mq.Broker(), rocketmq.Queue{Topic: rocketmq.DelayTopic, Broker: w.mq.Broker().Name(), ID: 17}
	delay := func(n int) {
		for range n {
			_, err := w.client.Send(t.Context(), b.Addr(), rocketmq.SendRequest{Group: "test", Queue: rocketmq.Queue{Topic: "Orders", Broker: b.Name()}, Messages: []rocketmq.OutMessage{{
				Body: []byte("{}"), Properties: rocketmq.Fields{{Name: rocketmq.PropertyDelayLevel, Value: "18"}},
			}}})
			w.must(err)
		}
	}
	admin, reached := w.Connector.Connect(t.Context(), w.cluster)
	if !reached.IsDone() {
		t.Fatal(reached.Message)
	}
	find := func(to int64) (found, all bool) {
		last, all, err := lastDelayed(t.Context(), admin, b.Addr(), w.group.Spec.Group, level, 0, to)
		w.must(err)
		return !last.IsZero(), all
	}
	delay(5)
	if found, all := find(5); found || !all {
		t.Errorf("none of those that wait is the group's: found %v, all looked at %v", found, all)
	}
	w.sendBack(18)
	delay(2*delayPage + 3)
	if found, _ := find(5 + 1 + 2*delayPage + 3); !found {
		t.Error("a message of the group waits, and is not found behind those of others")
	}
	delay(delayPages * delayPage)
	if found, all := find(5 + 1 + 2*delayPage + 3 + delayPages*delayPage); found || all {
		t.Errorf("more wait than are looked at: found %v, all looked at %v", found, all)
	}
}

func TestASuspendedAdapterParksItsGroupsAndNothingHoldsThatUp(t *testing.T) {
	for sentence, change := range map[string]func(*v1alpha1.ThirdPartyAdapter){
		"an adapter that can be used": func(*v1alpha1.ThirdPartyAdapter) {},
		"one that is stalled": func(a *v1alpha1.ThirdPartyAdapter) {
			a.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSecretNotFound, LastTransitionTime: metav1.Now()}}
		},
		"one that was not looked at since it was suspended": func(a *v1alpha1.ThirdPartyAdapter) { a.Status.ObservedGeneration = 1 },
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, nil)
			w.settle()
			w.roll()
			before, structure := w.given(), structureOf(w.deployment())
			adapter := &v1alpha1.ThirdPartyAdapter{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "sms"}}
			w.Read(t, adapter)
			adapter.Spec.Suspend = new(true)
			w.Write(t, adapter)
			adapter.Status.ObservedGeneration = adapter.Generation
			change(adapter)
			w.must(w.Status().Update(t.Context(), adapter))

			w.must(second(w.reconcile()))
			w.want(v1alpha1.ConditionParked, metav1.ConditionTrue, v1alpha1.ReasonAdapterSuspended, "spec.suspend is true of ThirdPartyAdapter sms")
			w.want(v1alpha1.ConditionDrained, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "2 pods were not asked yet")
			after := w.given()
			if !strings.Contains(after, `"suspended":"AdapterSuspended"`) || limitsIn(after) != limitsIn(before) || structureOf(w.deployment()) != structure {
				t.Errorf("pods were given %s, and now %s", before, after)
			}
		})
	}
}

// limitsIn is the part of what pods are given that says what they may use.
func limitsIn(given string) string {
	_, after, _ := strings.Cut(given, `"adapters"`)
	before, _, _ := strings.Cut(after, `"handler"`)
	return before
}

func TestASuspendedGroupThatIsDeletedSaysWhyNobodyHandlesItsMessages(t *testing.T) {
	seen := suspended(stopped("a", nil))
	seen.signals.Lag = 3
	if got := unhandled(seen, noon).Message; !strings.Contains(got, "no pod handles them, since the group is suspended: spec.suspend is true") {
		t.Error(got)
	}
}

func TestPodsThatHaveNotHeardThatTheSuspensionIsOverAreNoOutage(t *testing.T) {
	seen := ready()
	since := noon.Add(-time.Hour)
	seen.reports = []workersync.Report{stopped("a", func(a *worker.SyncResponse) {
		a.Parked, a.ParkedReason, a.ParkedSince = true, worker.ReasonSuspended, &since
	})}
	suite.WantCondition(t, []metav1.Condition{parked(seen, noon)}, v1alpha1.ConditionParked, metav1.ConditionTrue, v1alpha1.ReasonSuspended, "the suspension is over, and the pods have not heard of it yet")
}

func TestASuspendedGroupIsNotScaled(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		g.Spec.Replicas, g.Spec.Scaling, g.Spec.Suspend = nil, &v1alpha1.Scaling{MinReplicas: new(int32(0)), MaxReplicas: 3}, new(true)
	})
	w.settle()
	w.roll()
	w.send(0, 1)
	w.beat()
	w.must(second(w.reconcile()))
	if got := wantedReplicas(w.deployment()); got != 0 {
		t.Errorf("%d pods are wanted", got)
	}
	w.want(v1alpha1.ConditionScaling, metav1.ConditionFalse, string(v1alpha1.BoundSuspended), "the group is suspended")
}
