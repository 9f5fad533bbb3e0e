// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/patience"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func deletes(g *v1alpha1.MQConsumerGroup) { g.Spec.DeletionPolicy = v1alpha1.DeletionDelete }

// gone reports whether the object was let go.
func (w *world) gone() bool {
	return apierrors.IsNotFound(w.Get(w.t.Context(), client.ObjectKeyFromObject(w.group), &v1alpha1.MQConsumerGroup{}))
}

// onBroker counts the brokers that have the group.
func (w *world) onBroker() (n int) {
	for _, b := range w.mq.Brokers() {
		groups, err := w.client.Groups(w.t.Context(), b.Addr())
		w.must(err)
		if _, ok := groups["push"]; ok {
			n++
		}
	}
	return n
}

func (w *world) delete() {
	w.t.Helper()
	w.must(w.Delete(w.t.Context(), w.group))
}

func (w *world) sent(text string) bool {
	return slices.ContainsFunc(w.Events(), func(e string) bool { return strings.Contains(e, text) })
}

func TestRetainLeavesTheGroupOnTheBroker(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	if len(w.group.Finalizers) != 0 {
		t.Errorf("it has the finalizers %v", w.group.Finalizers)
	}
	w.delete()
	w.must(second(w.reconcile()))
	if !w.gone() || w.onBroker() != 2 {
		t.Errorf("gone is %t, and %d brokers have the group", w.gone(), w.onBroker())
	}
}

func TestDeleteWaitsForEveryMessageThenForEveryMember(t *testing.T) {
	w := newWorld(t, deletes)
	w.settle()
	w.roll()
	w.send(0, 3)
	w.join(w.ownMember())
	w.delete()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotRead, "waiting to know how many messages")
	w.beat()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMessagesUnconsumed, "3 messages", "set deletionPolicy to Retain")
	if w.deployment() == nil {
		t.Fatal("the pods that handle them were stopped")
	}
	w.commit(0, 3)
	w.beat()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "1 members at the brokers are still to leave")
	if w.deployment() != nil || w.onBroker() != 2 {
		t.Fatal("now the pods stop, and the group is still there")
	}
	w.send(0, 1) // too late to be handled by this group
	w.leave(w.ownMember())
	w.beat()
	w.must(second(w.reconcile()))
	if !w.gone() || w.onBroker() != 0 {
		t.Errorf("gone is %t, and %d brokers have the group", w.gone(), w.onBroker())
	}
	for _, topic := range []string{rocketmq.RetryTopic("push"), rocketmq.DeadLetterTopic("push")} {
		if _, err := w.client.TopicConfig(t.Context(), w.mq.Broker().Addr(), topic); err == nil {
			t.Errorf("topic %s is left", topic)
		}
	}
	if !w.sent("Normal Deleted group push was deleted from 2 brokers") {
		t.Error("nobody was told")
	}
}

func TestAGroupIsDeletedAfterItsTopic(t *testing.T) {
	w := newWorld(t, deletes)
	w.settle()
	for _, b := range w.mq.Brokers() {
		w.must(w.client.DeleteTopic(t.Context(), b.Addr(), "Orders"))
	}
	w.delete()
	w.beat()
	w.must(second(w.reconcile()))
	if !w.gone() || w.onBroker() != 0 {
		t.Errorf("gone is %t, and %d brokers have the group", w.gone(), w.onBroker())
	}
}

func TestAGroupStaysWhileAMasterIsLost(t *testing.T) {
	w := newWorld(t, deletes)
	w.settle()
	w.delete()
	lost := w.mq.Brokers()[1]
	lost.Stop() // the MQCluster is Ready still: it is looked at once a minute
	w.beat()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBrokerUnreachable, "dropped broker "+lost.Name(), "set deletionPolicy to Retain")
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionUnknown, v1alpha1.ReasonBrokerUnreachable)
	w.must(lost.Start())
	w.beat()
	w.must(second(w.reconcile()))
	if !w.gone() || w.onBroker() != 0 {
		t.Errorf("gone is %t, and %d brokers have the group", w.gone(), w.onBroker())
	}
}

func TestADeletedGroupIsWokenForItsLastMessages(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		deletes(g)
		g.Spec.Replicas, g.Spec.Scaling = nil, &v1alpha1.Scaling{MinReplicas: new(int32(0)), MaxReplicas: 3}
	})
	w.settle()
	w.roll()
	w.send(0, 1)
	w.delete()
	w.beat()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMessagesUnconsumed)
	if got := wantedReplicas(w.deployment()); got != 1 {
		t.Errorf("%d pods are wanted", got)
	}
}

func TestADeletedGroupSaysWhoHandlesTheRest(t *testing.T) {
	for sentence, test := range map[string]struct {
		change func(*inputs)
		says   string
	}{
		"pods are there": {func(seen *inputs) { seen.pods = []corev1.Pod{runningPod("a"), runningPod("b")} }, "its 2 pods go on"},
		"no pod is wanted": {func(seen *inputs) { seen.group.Spec.Replicas = new(int32(0)) },
			"no pod handles them, since spec.replicas is 0: raise it"},
		"Kubernetes takes the pods away first": {func(seen *inputs) { seen.group.Finalizers = []string{metav1.FinalizerDeleteDependents} },
			"no pod handles them, since the deletion in the foreground takes pods away first"},
		"no pod is there yet": {func(*inputs) {}, "no pod handles them at the moment"},
		"a queue has no offset, so nobody knows": {func(seen *inputs) { seen.signals.Unseeded = true },
			"waiting to know how many messages"},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.signals.Lag = 3
			test.change(seen)
			if got := unhandled(seen, noon).Message; !strings.Contains(got, test.says) {
				t.Errorf("it says %q, want %q", got, test.says)
			}
		})
	}
}

func TestDeleteGivesUp(t *testing.T) {
	outage := func(lasting time.Duration) func(*world) {
		return func(w *world) {
			w.mq.Inject(fake.Fault{Host: "broker-b", Cut: true})
			_, _ = w.reconcile() // an unreachable broker is an error, too
			w.later += lasting
		}
	}
	for sentence, test := range map[string]struct {
		happens func(*world)
		gone    bool
	}{
		"when the cluster is gone":                   {func(w *world) { w.must(w.Delete(w.t.Context(), w.cluster)) }, true},
		"when the brokers were away for ten minutes": {outage(patience.Limit + time.Minute), true},
		"not when they were away for nine":           {outage(patience.Limit - time.Minute), false},
		"not at the first call that fails after hours of waiting": {func(w *world) {
			w.send(0, 3)
			w.beat()
			w.must(second(w.reconcile()))
			w.later = time.Hour
			w.mq.Inject(fake.Fault{Host: "broker-b", Cut: true})
		}, false},
		"when nobody may delete it": {func(w *world) {
			w.beat()
			w.mq.Inject(fake.Fault{Op: rocketmq.OpDeleteGroup, Code: rocketmq.CodeNoPermission, Remark: "denied"})
			_, _ = w.reconcile()
			w.later = patience.Limit + time.Minute
		}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, deletes)
			w.settle()
			w.delete()
			test.happens(w)
			_, _ = w.reconcile()
			if w.gone() != test.gone {
				t.Errorf("gone is %t, want %t", w.gone(), test.gone)
			}
			if sent := w.sent("Warning LeftBehind"); sent != test.gone {
				t.Errorf("an event that it was left behind: %t, want %t", sent, test.gone)
			}
			w.mq.Heal()
			if w.onBroker() != 2 {
				t.Errorf("%d brokers have the group", w.onBroker())
			}
		})
	}
}

func TestAGroupOfSomebodyElseIsNotDeleted(t *testing.T) {
	for sentence, test := range map[string]struct {
		happens func(*world)
		says    string
	}{
		"since the MQCluster leads to another cluster now": {func(w *world) {
			w.cluster.Status.Identity = "another"
			w.must(w.Status().Update(w.t.Context(), w.cluster))
		}, "MQCluster mq is another RocketMQ cluster now than the one on which the group was made"},
		"since an older object declares it": {func(w *world) {
			w.r.Client = aged{w.Client, w.group.UID}
			other := w.Group("another", "Orders")
			other.Spec.Group = "push"
			w.Create(w.t, other)
		}, "/another declares it as well, and is older"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, deletes)
			w.settle()
			w.delete()
			w.beat()
			test.happens(w)
			w.must(second(w.reconcile()))
			if !w.gone() || w.onBroker() != 2 {
				t.Errorf("gone is %t, and %d brokers have the group", w.gone(), w.onBroker())
			}
			if !w.sent(test.says) {
				t.Error("nobody was told")
			}
		})
	}
}

// aged is a client by which one group is younger than all others.
type aged struct {
	client.Client
	uid types.UID
}

func (a aged) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	err := a.Client.Get(ctx, key, object, opts...)
	if object.GetUID() == a.uid {
		object.SetCreationTimestamp(metav1.NewTime(object.GetCreationTimestamp().Add(time.Hour)))
	}
	return err
}

func TestWhoCannotWaitForTheDeletionSaysRetain(t *testing.T) {
	w := newWorld(t, deletes)
	w.settle()
	w.send(0, 3)
	w.delete()
	w.must(second(w.reconcile()))
	w.group.Spec.DeletionPolicy = v1alpha1.DeletionRetain
	w.Write(t, w.group)
	w.must(second(w.reconcile()))
	if !w.gone() || w.onBroker() != 2 {
		t.Errorf("gone is %t, and %d brokers have the group", w.gone(), w.onBroker())
	}
}

func TestAGroupThatWasNeverOursIsLetGo(t *testing.T) {
	w := newWorld(t, deletes)
	w.must(w.client.PutGroup(t.Context(), w.mq.Broker().Addr(), rocketmq.NewGroupConfig("push")))
	w.settle()
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAlreadyExists)
	w.delete()
	w.must(second(w.reconcile()))
	if !w.gone() || w.onBroker() != 1 {
		t.Errorf("gone is %t, and %d brokers have the group", w.gone(), w.onBroker())
	}
}

func TestAGroupIsDeletedByWhatWasCountedLately(t *testing.T) {
	now := time.Now()
	for sentence, test := range map[string]struct {
		signals lag.Signals
		done    bool
	}{
		"all is handled":                 {lag.Signals{Time: now, Asked: now, Retries: now}, true},
		"nobody has counted its retries": {lag.Signals{Time: now, Asked: now, DeadLetters: -1}, false},
		"its retries were counted once":  {lag.Signals{Time: now, Asked: now, Retries: now.Add(-counted)}, false},
		"its topic was looked at once":   {lag.Signals{Time: now.Add(-counted), Asked: now, Retries: now}, false},
		"brokers do not answer":          {lag.Signals{Time: now.Add(-10 * time.Second), Asked: now.Add(-10 * time.Second), Retries: now}, false},
	} {
		seen := ready()
		seen.signals = test.signals
		if got := unhandled(seen, now); got.IsDone() != test.done || !test.done && got.Reason != v1alpha1.ReasonNotRead {
			t.Errorf("%s, and it is deleted: %t (%+v)", sentence, got.IsDone(), got)
		}
	}
}
