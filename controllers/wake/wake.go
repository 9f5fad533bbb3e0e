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

// userFirst is the priority of an object whose spec a user has just changed; others have 0, or less when an operator starts.
const userFirst = 10

// First enqueues an object whose spec was changed before all that wait their turn for other reasons, such as pods that come and go: its user looks on.
func First() handler.EventHandler {
	return handler.Funcs{UpdateFunc: func(_ context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		if !edited(e) {
			return
		}
		request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.ObjectNew)}
		if ordered, is := q.(priorityqueue.PriorityQueue[reconcile.Request]); is {
			ordered.AddWithOpts(priorityqueue.AddOpts{Priority: new(userFirst)}, request)
			return
		}
		q.Add(request)
	}}
}

// NotFirst lets through all events but those that First is for, so that an edit is looked at once.
func NotFirst() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return !edited(e) }}
}

func edited(e event.UpdateEvent) bool {
	return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration()
}

// Soon enqueues who is concerned by a change, after the pause.
func Soon(pause time.Duration, concerned func(context.Context, client.Object) []reconcile.Request) handler.EventHandler {
	add := func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request], objects ...client.Object) {
		for _, o := range objects {
			for _, request := range concerned(ctx, o) {
				q.AddAfter(request, pause)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if !e.IsInInitialList { // at the start all are looked at anyway
				add(ctx, q, e.Object)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			add(ctx, q, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			add(ctx, q, e.Object)
		},
	}
}
