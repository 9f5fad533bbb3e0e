// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/budget"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/index"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/wake"
)

const (
	// parallel reconciles: most of their time they wait for a broker or the API server, and a cluster that does not answer must hold up few others. The API server's
	// fairness is the limit of what they ask of it.
	parallel = 32
	// sharesSettle is how long a change of an account's shares waits for others.
	sharesSettle = time.Second
	// netTimeout of a whole reconcile is a net: brokers have their time, and the API server answers sooner.
	netTimeout = 4 * brokerTimeout
)

// SetupWithManager makes the manager call Reconcile: for changes of a group, of what it owns and refers to, and when pulse says so.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, pulse *Pulse) error {
	if err := pulse.objects.follow(context.Background(), mgr.GetCache()); err != nil {
		return err
	}
	changed, specChanged := builder.WithPredicates(notMade()), builder.WithPredicates(notMade(), predicate.GenerationChangedPredicate{})
	enqueue := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, g *v1alpha1.MQConsumerGroup) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(g)}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.MQConsumerGroup{}, builder.WithPredicates(predicate.Or(predicate.AnnotationChangedPredicate{}, claimed()), wake.NotDeclared())).
		Watches(&v1alpha1.MQConsumerGroup{}, wake.Declared(observedGeneration)).
		Owns(&appsv1.Deployment{}, changed).
		Owns(&corev1.ConfigMap{}, changed).
		Owns(&corev1.ServiceAccount{}, changed).
		Owns(&corev1.Service{}, changed).
		Owns(&policyv1.PodDisruptionBudget{}, specChanged).
		Owns(&networkingv1.NetworkPolicy{}, specChanged).
		Watches(&v1alpha1.MQCluster{}, wake.Soon(0, r.groupsIn(index.Cluster, nameOf)), builder.WithPredicates(topology.Changed())).
		Watches(&v1alpha1.OrderFlow{}, wake.Soon(0, r.groupsIn(index.Topic, topicOf)), builder.WithPredicates(topicChanged())).
		Watches(&v1alpha1.ThirdPartyAdapter{}, wake.Soon(0, r.groupsIn(index.Adapter, nameOf)), builder.WithPredicates(condition.ReadyChanged(adapterConditions))).
		Watches(&v1alpha1.MQConsumerGroup{}, wake.Soon(sharesSettle, r.groupsIn(index.Adapter, adaptersOf)), builder.WithPredicates(shareChanged())).
		WatchesRawSource(source.TypedChannel(pulse.wake, enqueue)).
		WithOptions(controller.Options{MaxConcurrentReconciles: parallel, ReconciliationTimeout: netTimeout, RateLimiter: result.Backoff()}).
		Complete(r)
}

// notMade leaves out that an object was made: the group has made it itself. One that has a status by the time it is first seen has changed since.
func notMade() predicate.Predicate {
	return predicate.Funcs{CreateFunc: func(e event.CreateEvent) bool {
		d, is := e.Object.(*appsv1.Deployment)
		return is && d.Status.ObservedGeneration > 0
	}}
}

// claimed lets through that the cache has a claim: only then anything is written to the brokers.
func claimed() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.MQConsumerGroup), e.ObjectNew.(*v1alpha1.MQConsumerGroup) //nolint:forcetypeassert // of a watch on this kind
		return was.Status.ClusterIdentity != is.Status.ClusterIdentity
	}}
}

// topicChanged lets through that a topic has come or is as declared, or may be read.
func topicChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.OrderFlow), e.ObjectNew.(*v1alpha1.OrderFlow) //nolint:forcetypeassert // of a watch on this kind
		return was.Spec.Topic.Permission != is.Spec.Topic.Permission ||
			condition.Is(was.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue) != condition.Is(is.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue)
	}}
}

func adapterConditions(o client.Object) []metav1.Condition {
	return o.(*v1alpha1.ThirdPartyAdapter).Status.Conditions //nolint:forcetypeassert // of a watch on this kind
}

// groupsIn finds the groups of the changed object's namespace whose index has one of the values.
func (r *Reconciler) groupsIn(field string, values func(changed client.Object) []string) handler.MapFunc {
	return func(ctx context.Context, changed client.Object) []reconcile.Request {
		var requests []reconcile.Request
		for _, value := range values(changed) {
			var groups v1alpha1.MQConsumerGroupList
			if err := r.Client.List(ctx, &groups, client.InNamespace(changed.GetNamespace()), client.MatchingFields{field: value}, client.UnsafeDisableDeepCopy); err != nil {
				return nil // the cache has them or is shutting down
			}
			for i := range groups.Items {
				if g := &groups.Items[i]; g.UID != changed.GetUID() {
					requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(g)})
				}
			}
		}
		return requests
	}
}

func observedGeneration(o client.Object) int64 {
	return o.(*v1alpha1.MQConsumerGroup).Status.ObservedGeneration //nolint:forcetypeassert // of a watch on this kind
}

func nameOf(o client.Object) []string { return []string{o.GetName()} }

func topicOf(o client.Object) []string {
	return []string{o.(*v1alpha1.OrderFlow).Spec.Topic.Name} //nolint:forcetypeassert // of a watch on this kind
}

func adaptersOf(o client.Object) []string {
	return o.(*v1alpha1.MQConsumerGroup).Spec.Handler.Adapters() //nolint:forcetypeassert // of a watch on this kind
}

// shareChanged lets through what changes the shares of others who use the same adapters: a group that comes or goes, calls other adapters, or may have more or
// fewer pods.
func shareChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.MQConsumerGroup), e.ObjectNew.(*v1alpha1.MQConsumerGroup) //nolint:forcetypeassert // of a watch on this kind
		return was.Spec.Dispatch != is.Spec.Dispatch || budget.MaxPods(&was.Spec.ConsumerTemplate) != budget.MaxPods(&is.Spec.ConsumerTemplate) ||
			!slices.Equal(was.Spec.Handler.Adapters(), is.Spec.Handler.Adapters())
	}}
}
