// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

func TestAnOperatorThatBeginsUnsaysNothingOfPodsThatItHasNotAskedYet(t *testing.T) {
	w, writes := readyWorld(t)
	w.group.Status.Lag, w.group.Status.Circuit = new(int64(7)), v1alpha1.CircuitOpen
	w.group.Status.Adapters = []v1alpha1.AdapterUse{{Name: "sms", Circuit: v1alpha1.CircuitOpen}}
	condition.Set(&w.group.Status.Conditions, w.group.Generation, w.Now(),
		metav1.Condition{Type: v1alpha1.ConditionThirdPartyDown, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonCircuitOpen},
		metav1.Condition{Type: v1alpha1.ConditionRetentionAtRisk, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDiskFull})
	w.must(w.Status().Update(t.Context(), w.group))

	asked := make(chan struct{})
	w.r.Syncer = workersync.New(workersync.Config{Logger: slog.New(slog.DiscardHandler), Pods: func(ctx context.Context, _ types.NamespacedName) ([]corev1.Pod, error) {
		select {
		case <-asked:
		case <-ctx.Done():
		}
		return nil, nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var syncing sync.WaitGroup
	syncing.Go(func() { _ = w.r.Syncer.Start(ctx) })
	defer syncing.Wait()
	defer cancel()
	w.eventually("the operator has begun", func() bool { return !w.r.Syncer.Settled() })
	_, err := w.reconcile()
	w.must(err)
	if got := writes.Writes(); len(got) > 0 {
		t.Errorf("it wrote %q", got)
	}
	if woken := w.pulse.choose(nil); len(woken) > 0 {
		t.Errorf("the pulse wakes %d groups", len(woken))
	}

	close(asked)
	w.eventually("the pods were asked", func() bool { return w.r.Syncer.Heard(client.ObjectKeyFromObject(w.group)) })
	w.beat()
	_, err = w.reconcile()
	w.must(err)
	w.want(v1alpha1.ConditionThirdPartyDown, metav1.ConditionUnknown, v1alpha1.ReasonNotRead)
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionFalse, v1alpha1.ReasonRetentionSuffices)
	if lag := w.group.Status.Lag; lag == nil || *lag != 0 {
		t.Errorf("the lag is %v", lag)
	}
}

func TestWhatStandsUntilPodsWereAsked(t *testing.T) {
	now := time.Now()
	standing := func(change func(*inputs)) *inputs {
		seen := ready()
		seen.unheard, seen.group.Generation = true, 2
		condition.Set(&seen.group.Status.Conditions, 2, now,
			metav1.Condition{Type: v1alpha1.ConditionParked, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAddressRefused, Message: "no pod may call it"},
			metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAddressRefused, Message: "no pod may call it"})
		change(seen)
		return seen
	}
	for sentence, test := range map[string]struct {
		seen   *inputs
		flow   string
		parked string
	}{
		"pods that are parked until somebody changes something": {standing(func(*inputs) {}), v1alpha1.ReasonAddressRefused, v1alpha1.ReasonAddressRefused},
		"not once they were asked":                              {standing(func(seen *inputs) { seen.unheard = false }), "", v1alpha1.ReasonNotParked},
		"nor if the group was changed meanwhile":                {standing(func(seen *inputs) { seen.group.Generation = 3 }), "", v1alpha1.ReasonNotParked},
		"an outage, which stalls nobody": {standing(func(seen *inputs) {
			meta.RemoveStatusCondition(&seen.group.Status.Conditions, v1alpha1.ConditionStalled)
		}), "", v1alpha1.ReasonAddressRefused},
		"not a suspension that has ended": {standing(func(seen *inputs) {
			condition.Set(&seen.group.Status.Conditions, 2, now, metav1.Condition{Type: v1alpha1.ConditionParked, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSuspended})
		}), "", v1alpha1.ReasonNotParked},
	} {
		t.Run(sentence, func(t *testing.T) {
			if flow := flowing(test.seen, now); flow.Reason != test.flow {
				t.Errorf("the group is stalled by %q, want %q", flow.Reason, test.flow)
			}
			if c := parked(test.seen, now); c.Reason != test.parked {
				t.Errorf("pods are parked by %q, want %q", c.Reason, test.parked)
			}
		})
	}
}

func TestHowFarAGroupIsDrainedStandsUntilPodsWereAsked(t *testing.T) {
	now := time.Now()
	pods := []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}}
	drained := func(was metav1.Condition, change func(*inputs)) []metav1.Condition {
		seen := ready()
		since := metav1.NewTime(now.Add(-time.Minute))
		seen.unheard, seen.suspended, seen.pods = true, suspension{reason: v1alpha1.ReasonSuspended, by: "spec.suspend is true"}, pods
		seen.given, seen.delayed = &worker.Live{Suspended: worker.ReasonSuspended}, &delayed{}
		seen.group.Status.Suspension = &v1alpha1.SuspensionStatus{StartTime: since, SettledTime: &since}
		condition.Set(&seen.group.Status.Conditions, seen.group.Generation, now, was)
		change(seen)
		setSuspension(&seen.group.Status, seen, now)
		return drained(seen.group, seen, now)
	}
	done := metav1.Condition{Type: v1alpha1.ConditionDrained, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDrained, Message: "nothing is in flight in 2 pods"}
	waits := metav1.Condition{Type: v1alpha1.ConditionDrained, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRetriesPending, Message: "until noon"}
	for sentence, test := range map[string]struct {
		was    metav1.Condition
		change func(*inputs)
		reason string
		stands bool
	}{
		"drained":                            {done, func(*inputs) {}, v1alpha1.ReasonDrained, true},
		"drained, once the pods are to tell": {done, func(seen *inputs) { seen.unheard = false }, v1alpha1.ReasonPodsNotAnswering, false},
		"drained, of a group that was changed meanwhile":                     {done, func(seen *inputs) { seen.group.Generation++ }, v1alpha1.ReasonPodsNotAnswering, false},
		"drained, while pods were told to go on":                             {done, func(seen *inputs) { seen.given.Suspended = "" }, v1alpha1.ReasonPodsNotAnswering, false},
		"drained, but a stranger has come":                                   {done, func(seen *inputs) { seen.broker.members = []string{"stranger@1"} }, v1alpha1.ReasonForeignConsumersOnline, false},
		"retries that have come back meanwhile, of which pods may have more": {waits, func(*inputs) {}, v1alpha1.ReasonRetriesPending, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := drained(test.was, test.change)
			if len(got) != 1 || got[0].Reason != test.reason || (got[0].Message == test.was.Message) != test.stands {
				t.Errorf("it is said that %+v", got)
			}
		})
	}
}

func TestWhatIsKnownByHalfStands(t *testing.T) {
	now := time.Now()
	seen := ready()
	seen.young, seen.unheard, seen.unread = true, true, true
	seen.pods = []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}
	before := v1alpha1.ScalingStatus{DesiredReplicas: 1, Bound: v1alpha1.BoundMinimum}
	seen.group.Status.Scaling = &before
	seen.group.Status.Adapters = []v1alpha1.AdapterUse{{Name: "sms", Circuit: v1alpha1.CircuitClosed}}
	condition.Set(&seen.group.Status.Conditions, seen.group.Generation, now,
		metav1.Condition{Type: v1alpha1.ConditionScaling, Status: metav1.ConditionTrue, Reason: string(v1alpha1.BoundMinimum)},
		metav1.Condition{Type: v1alpha1.ConditionThirdPartyDown, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonCircuitClosed},
		metav1.Condition{Type: v1alpha1.ConditionConfigCurrent, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady})
	if !scalingStands(seen, &v1alpha1.ScalingStatus{DesiredReplicas: 1, Bound: v1alpha1.BoundLagUnknown}) {
		t.Error("a lag that was not counted yet is told as what holds the number of pods")
	}
	for _, next := range []v1alpha1.ScalingStatus{{DesiredReplicas: 2, Bound: v1alpha1.BoundNone}, {DesiredReplicas: 1, Bound: v1alpha1.BoundFixed}} {
		if scalingStands(seen, &next) {
			t.Errorf("%+v is not told", next)
		}
	}
	if uses := adapterUses(seen); uses[0].Circuit != v1alpha1.CircuitClosed || configCurrent(seen).Status != metav1.ConditionTrue {
		t.Errorf("what stands is unsaid: %+v, %+v", uses, configCurrent(seen))
	}
	if seen.reconfigured = true; configCurrent(seen).Status == metav1.ConditionTrue {
		t.Error("pods are told to have a configuration that this look has given them")
	}
	seen.group.Generation++
	if uses := adapterUses(seen); uses[0].Circuit != v1alpha1.CircuitUnknown || scalingStands(seen, &before) {
		t.Errorf("the group was changed, and what was heard before stands: %+v", uses)
	}
}
