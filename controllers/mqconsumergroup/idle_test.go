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
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// readyWorld is a world whose group is Ready, and what counts the writes of its reconciler.
func readyWorld(t *testing.T) (*world, *suite.Counter) {
	t.Helper()
	w := newWorld(t, nil)
	writes := &suite.Counter{Client: w.Client}
	w.r.Applier = apply.New(writes, w.Client)
	w.r.Verified = verification.New(VerifyEvery)
	w.settle()
	w.roll()
	for range 2 {
		_, err := w.reconcile()
		w.must(err)
	}
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	writes.Writes()
	return w, writes
}

func TestALookAtAGroupThatIsWellWritesNothing(t *testing.T) {
	w, writes := readyWorld(t)
	for range 4 {
		w.later += quietInterval
		_, err := w.reconcile()
		w.must(err)
	}
	if got := writes.Writes(); len(got) > 0 {
		t.Errorf("nothing changed, and it wrote %q", got)
	}
	w.r.Applier = apply.New(writes, w.Client)
	w.r.Verified = verification.New(VerifyEvery)
	_, err := w.reconcile()
	w.must(err)
	if got := writes.Writes(); len(got) > 0 {
		t.Errorf("nothing changed while another operator took over, and it wrote %q", got)
	}
}

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

func TestAGroupThatWasDrainedStaysSoUntilPodsWereAsked(t *testing.T) {
	now := time.Now()
	seen := ready()
	seen.unheard, seen.suspended = true, suspension{reason: v1alpha1.ReasonSuspended, by: "spec.suspend is true"}
	since := metav1.NewTime(now.Add(-time.Hour))
	seen.group.Status.Suspension = &v1alpha1.SuspensionStatus{StartTime: since, SettledTime: &since}
	was := metav1.Condition{Type: v1alpha1.ConditionDrained, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDrained, Message: "nothing is in flight in 2 pods"}
	condition.Set(&seen.group.Status.Conditions, seen.group.Generation, now, was)
	setSuspension(&seen.group.Status, seen, now)
	if got := drained(seen.group, seen, now); len(got) != 1 || got[0].Message != was.Message || seen.group.Status.Suspension.SettledTime == nil {
		t.Errorf("it is said that %+v, of %+v", got, seen.group.Status.Suspension)
	}
	seen.group.Generation++
	if got := drained(seen.group, seen, now); got[0].Message == was.Message {
		t.Errorf("it was changed meanwhile, and it is said that %+v", got)
	}
	seen.group.Generation--
	seen.unheard = false
	seen.pods = []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}}
	if got := drained(seen.group, seen, now); got[0].Status == metav1.ConditionTrue {
		t.Errorf("a pod runs that was not heard, and it is said that %+v", got)
	}
}

func TestAGroupThatIsWellIsReadBackNowAndThen(t *testing.T) {
	w, _ := readyWorld(t)
	read := func() int { return len(w.mq.Calls(rocketmq.OpGroupConfig)) }
	before := read()
	answer, err := w.reconcile()
	w.must(err)
	if answer.RequeueAfter <= interval || answer.RequeueAfter > VerifyEvery*5/4 {
		t.Errorf("it is looked at again in %v, want to about %v", answer.RequeueAfter, VerifyEvery)
	}
	if got := read() - before; got != 0 {
		t.Errorf("it was read back a moment ago, and is again from %d brokers", got)
	}
	w.later += 2 * VerifyEvery
	_, err = w.reconcile()
	w.must(err)
	if got := read() - before; got != len(w.mq.Brokers()) {
		t.Errorf("it was read back from %d brokers, want all", got)
	}
	before = read()
	verified := w.group.Status.LastVerifiedTime
	w.group.Spec.Concurrency.PerPod = 7
	w.Write(t, w.group)
	_, err = w.reconcile()
	w.must(err)
	if got := read() - before; got != len(w.mq.Brokers()) {
		t.Errorf("it was edited, and read back from %d brokers, want all", got)
	}
	if last := w.group.Status.LastVerifiedTime; !verified.Before(last) {
		t.Errorf("it was verified at %v, and the status says %v", last, verified)
	}
}

func TestAGroupThatIsGoneFromABrokerIsMadeAnewInTime(t *testing.T) {
	w, _ := readyWorld(t)
	b := w.mq.Broker()
	w.must(w.client.DeleteGroup(t.Context(), b.Addr(), w.group.Spec.Group, false))
	w.later += 2 * VerifyEvery
	_, err := w.reconcile()
	w.must(err)
	if _, err := w.client.GroupConfig(t.Context(), b.Addr(), w.group.Spec.Group); err != nil {
		t.Errorf("the group is not made anew: %v", err)
	}
}
