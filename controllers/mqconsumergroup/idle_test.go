// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/verification"
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

func TestAGroupThatIsWellIsReadBackNowAndThen(t *testing.T) {
	w, _ := readyWorld(t)
	read := func() int { return len(w.mq.Calls(rocketmq.OpGroupConfig)) }
	before := read()
	answer, err := w.reconcile()
	w.must(err)
	if answer.RequeueAfter <= interval || answer.RequeueAfter > VerifyEvery*3/2 {
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
