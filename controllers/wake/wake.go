// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package wake

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// userFirst is the priority of an object whose spec a user has just changed, and last that of one that is new, which the change of another does not lift; others have 0, or less when an operator starts.
const userFirst, last = 10, -1

// add enqueues with a priority, where the queue knows any, after a pause.
func add(q workqueue.TypedRateLimitingInterface[reconcile.Request], priority int, pause time.Duration, request reconcile.Request) {
	if ordered, is := q.(priorityqueue.PriorityQueue[reconcile.Request]); is {
		ordered.AddWithOpts(priorityqueue.AddOpts{Priority: &priority, After: pause}, request)
		return
	}
	q.AddAfter(request, pause)
}

// Declared enqueues an object whose spec was changed before all that wait their turn for other reasons, such as pods that come and go: its user looks on. So it does with one whose last generation nobody
// had observed when the operator began, and one that is new it enqueues after the others: of thousands that are made at once the first are done while the last have not begun. observed is
// the status' observedGeneration.
func Declared(observed func(client.Object) int64) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)}
			switch {
			case !e.IsInInitialList, observed(e.Object) <= 0:
				add(q, last, 0, request)
			case observed(e.Object) < e.Object.GetGeneration():
				add(q, userFirst, 0, request)
			default:
				add(q, handler.LowPriority, 0, request)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if edited(e) {
				add(q, userFirst, 0, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.ObjectNew)})
			}
		},
	}
}

// NotDeclared lets through all events but those that Declared is for, so that what is declared is looked at once.
func NotDeclared() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool { return !edited(e) },
	}
}

func edited(e event.UpdateEvent) bool {
	return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration()
}

// Soon enqueues who is concerned by a change, after the pause.
func Soon(pause time.Duration, concerned func(context.Context, client.Object) []reconcile.Request) handler.EventHandler {
	all := func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request], objects ...client.Object) {
		for _, o := range objects {
			for _, request := range concerned(ctx, o) {
				add(q, last, pause, request)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if !e.IsInInitialList { // at the start all are looked at anyway
				all(ctx, q, e.Object)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			all(ctx, q, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			all(ctx, q, e.Object)
		},
	}
}
