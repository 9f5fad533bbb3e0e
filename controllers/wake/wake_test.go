// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package wake

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func group(name string, generation int64) *v1alpha1.MQConsumerGroup {
	return &v1alpha1.MQConsumerGroup{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: generation}}
}

func TestWhoseSpecWasChangedIsLookedAtFirstAndWhoIsNewLast(t *testing.T) {
	q := priorityqueue.New[reconcile.Request](t.Name())
	defer q.ShutDown()
	handler := Declared(func(o client.Object) int64 { return o.(*v1alpha1.MQConsumerGroup).Status.ObservedGeneration })
	handler.Create(t.Context(), event.CreateEvent{Object: group("new", 1)}, q)
	before, meanwhile := group("there before", 1), group("edited meanwhile", 2)
	before.Status.ObservedGeneration, meanwhile.Status.ObservedGeneration = 1, 1
	handler.Create(t.Context(), event.CreateEvent{Object: before, IsInInitialList: true}, q)
	made := group("made meanwhile", 1)
	made.Status.ObservedGeneration = -1 // the default
	handler.Create(t.Context(), event.CreateEvent{Object: made, IsInInitialList: true}, q)
	handler.Create(t.Context(), event.CreateEvent{Object: meanwhile, IsInInitialList: true}, q)
	for _, name := range []string{"first", "second", "edited"} {
		q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	}
	handler.Update(t.Context(), event.UpdateEvent{ObjectOld: group("status alone", 1), ObjectNew: group("status alone", 1)}, q)
	handler.Update(t.Context(), event.UpdateEvent{ObjectOld: group("edited", 1), ObjectNew: group("edited", 2)}, q)
	var order []string
	for range 7 {
		next, _ := q.Get()
		order = append(order, next.Name)
	}
	if diff := cmp.Diff([]string{"edited meanwhile", "edited", "first", "second", "new", "made meanwhile", "there before"}, order); diff != "" || q.Len() != 0 {
		t.Errorf("they are looked at in this order (-want +got), with %d left:\n%s", q.Len(), diff)
	}
}

func TestTheChangeOfAnotherDoesNotLiftWhoIsNew(t *testing.T) {
	q := priorityqueue.New[reconcile.Request](t.Name())
	defer q.ShutDown()
	concerned := func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "new"}}}
	}
	Soon(0, concerned).Create(t.Context(), event.CreateEvent{Object: group("another", 1), IsInInitialList: true}, q)
	if q.Len() != 0 {
		t.Error("at the start all are looked at anyway")
	}
	Soon(0, concerned).Update(t.Context(), event.UpdateEvent{ObjectOld: group("another", 1), ObjectNew: group("another", 1)}, q)
	q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: "on its way"}})
	for _, want := range []string{"on its way", "new"} {
		if next, _ := q.Get(); next.Name != want {
			t.Errorf("%s is looked at, want %s", next.Name, want)
		}
	}
}

func TestEachEventOfAnObjectIsHandledOnce(t *testing.T) {
	handled := Declared(func(client.Object) int64 { return 1 })
	left := NotDeclared()
	for sentence, initial := range map[string]bool{"new": false, "there before": true} {
		q := priorityqueue.New[reconcile.Request](t.Name())
		e := event.CreateEvent{Object: group("push", 1), IsInInitialList: initial}
		handled.Create(t.Context(), e, q)
		if q.Len() != 1 || left.Create(e) {
			t.Errorf("one that is %s is in the queue %d times, and again: %t", sentence, q.Len(), left.Create(e))
		}
		q.ShutDown()
	}
	for sentence, generation := range map[string]int64{"edited": 2, "of which something else has changed": 1} {
		q := priorityqueue.New[reconcile.Request](t.Name())
		e := event.UpdateEvent{ObjectOld: group("push", 1), ObjectNew: group("push", generation)}
		handled.Update(t.Context(), e, q)
		if (q.Len() == 1) == left.Update(e) {
			t.Errorf("one that is %s is in the queue %d times, and again: %t", sentence, q.Len(), left.Update(e))
		}
		q.ShutDown()
	}
}
