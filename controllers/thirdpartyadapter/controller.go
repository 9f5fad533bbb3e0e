// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/wake"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

const (
	// interval between two looks. Changes of a circuit come sooner, with the status of the groups. quietInterval is that of an adapter that names no Secret, and whose pods have
	// nothing to do: what they meet when they have leaves messages to be tried again, which wakes it.
	interval, quietInterval = 30 * time.Second, 5 * time.Minute
	// settle is how long a change of a group waits for those of others that use the adapter, settleLong how long it waits that the pods of a group are heard for the
	// first time, and find all well, and settleUsage how long it waits who uses an adapter that is well.
	settle, settleLong, settleUsage = time.Second, 10 * time.Second, time.Minute
	// parallel reconciles; each reads at most some Secrets.
	parallel = 4
)

// Reconciler keeps the status of ThirdPartyAdapters true.
type Reconciler struct {
	// Client reads adapters and groups.
	Client client.Client
	// Secrets reads Secrets by name, without a cache.
	Secrets client.Reader
	// Applier writes the status.
	Applier *apply.Applier
	// Reports returns what the pods of a group said last.
	Reports func(group types.NamespacedName) []workersync.Report
	// Heard reports whether the pods of a group were asked since the operator began.
	Heard func(group types.NamespacedName) bool
	// Recorder sends events.
	Recorder events.EventRecorder
	// Now is the clock.
	Now func() time.Time
}

// +kubebuilder:rbac:groups=orderflow.dev,resources=thirdpartyadapters,verbs=list;watch
// +kubebuilder:rbac:groups=orderflow.dev,resources=thirdpartyadapters/status,verbs=update
// +kubebuilder:rbac:groups=orderflow.dev,resources=mqconsumergroups,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager makes the manager call Reconcile.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ThirdPartyAdapter{}, builder.WithPredicates(demand.Changed(), wake.NotDeclared())).
		Watches(&v1alpha1.ThirdPartyAdapter{}, wake.Declared(observedGeneration)).
		Watches(&v1alpha1.MQConsumerGroup{}, wake.Soon(settle, adaptersOf), builder.WithPredicates(usesChanged())).
		Watches(&v1alpha1.MQConsumerGroup{}, wake.Soon(settleLong, adaptersOf), builder.WithPredicates(circuitsHeard())).
		Watches(&v1alpha1.MQConsumerGroup{}, wake.Soon(interval, adaptersOf), builder.WithPredicates(condition.Counted())).
		WithOptions(controller.Options{MaxConcurrentReconciles: parallel, RateLimiter: result.Backoff()}).
		Complete(r)
}

func observedGeneration(o client.Object) int64 {
	return o.(*v1alpha1.ThirdPartyAdapter).Status.ObservedGeneration //nolint:forcetypeassert // of a watch on this kind
}

// adaptersOf are the adapters a group refers to.
func adaptersOf(_ context.Context, object client.Object) []reconcile.Request {
	group := object.(*v1alpha1.MQConsumerGroup) //nolint:forcetypeassert // it is what is watched
	var requests []reconcile.Request
	for _, name := range group.Spec.Handler.Adapters() {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: group.Namespace, Name: name}})
	}
	return requests
}

// usesChanged lets through what changes an adapter's status: a group that came or went or has another spec, a circuit that opened or closed, and a suspended group that has come further. Who probes
// comes with the interval: in an outage it may change every few seconds.
func usesChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*v1alpha1.MQConsumerGroup), e.ObjectNew.(*v1alpha1.MQConsumerGroup) //nolint:forcetypeassert // as above
		return before.Generation != after.Generation || v1alpha1.CircuitsTurned(before.Status.Adapters, after.Status.Adapters) || drainedOf(before) != drainedOf(after)
	}}
}

// circuitsHeard lets through that pods of a group tell for the first time that a circuit is closed.
func circuitsHeard() predicate.Predicate {
	return predicate.And(predicate.Not(usesChanged()), predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*v1alpha1.MQConsumerGroup), e.ObjectNew.(*v1alpha1.MQConsumerGroup) //nolint:forcetypeassert // as above
		return !v1alpha1.SameCircuits(before.Status.Adapters, after.Status.Adapters)
	}})
}

// Reconcile looks at the adapter once and writes down what it saw: whether the Secrets it names can be used, which groups use it and what share of its limits each of
// their pods has, and how the third party is, by what pods report. It writes nothing but the status; groups take the limits to the pods.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	adapter := &v1alpha1.ThirdPartyAdapter{}
	if err := r.Client.Get(ctx, request.NamespacedName, adapter); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if behind, again := r.Applier.Behind(adapter); behind {
		return again, nil
	}
	before := adapter.DeepCopy()
	r.Applier.Recall(adapter)

	seen, err := r.gather(ctx, adapter)
	if err != nil {
		return ctrl.Result{}, err
	}
	results := check(adapter, seen, r.Now())
	setStatus(adapter, seen, results, r.Now())

	left, err := r.Applier.StatusWithin(ctx, before, adapter, mayWait(before, adapter))
	if err != nil {
		return apply.Again(err)
	}
	if left == 0 {
		r.record(adapter, condition.Changed(before.Status.Conditions, adapter.Status.Conditions))
	}
	return result.Reconcile(pace(seen, r.Now()), append(results, result.Result{After: left})...)
}

// pace is the interval to the next look. Pods that are busy, or do not answer, were asked a moment ago; of groups that broadcast nobody counts messages.
func pace(seen facts, now time.Time) time.Duration {
	lately := func(r workersync.Report) bool { return now.Sub(r.Time) < interval }
	broadcasts := func(g v1alpha1.MQConsumerGroup) bool { return g.Spec.Consume.Model == v1alpha1.ConsumeBroadcasting }
	if seen.unheard || len(seen.secrets) > 0 || slices.ContainsFunc(seen.reports, lately) || slices.ContainsFunc(seen.groups, broadcasts) {
		return interval
	}
	return quietInterval
}
