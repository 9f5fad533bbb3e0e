// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package wake

import (
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
	handler.Create(t.Context(), event.CreateEvent{Object: meanwhile, IsInInitialList: true}, q)
	for _, name := range []string{"first", "second", "edited"} {
		q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	}
	handler.Update(t.Context(), event.UpdateEvent{ObjectOld: group("status alone", 1), ObjectNew: group("status alone", 1)}, q)
	handler.Update(t.Context(), event.UpdateEvent{ObjectOld: group("edited", 1), ObjectNew: group("edited", 2)}, q)
	var order []string
	for range 5 {
		next, _ := q.Get()
		order = append(order, next.Name)
	}
	if diff := cmp.Diff([]string{"edited meanwhile", "edited", "first", "second", "new"}, order); diff != "" || q.Len() != 0 {
		t.Errorf("they are looked at in this order (-want +got), with %d left:\n%s", q.Len(), diff)
	}
}
