// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

const (
	// parallel reconciles, so that a cluster that does not answer holds up few others.
	parallel = 8
	// netTimeout of a whole reconcile is a net: brokers have their time, and the API server answers sooner.
	netTimeout = 4 * brokerTimeout
)

// SetupWithManager makes the manager call Reconcile: for changes of a group, of what it owns and refers to, and when pulse says so.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, pulse *Pulse) error {
	specChanged := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	wake := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, g *v1alpha1.MQConsumerGroup) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(g)}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.MQConsumerGroup{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.Service{}).
		Owns(&policyv1.PodDisruptionBudget{}, specChanged).
		Owns(&networkingv1.NetworkPolicy{}, specChanged).
		Watches(&v1alpha1.MQCluster{}, handler.EnqueueRequestsFromMapFunc(r.groupsOf(onCluster)), builder.WithPredicates(condition.ReadyChanged(clusterConditions))).
		Watches(&v1alpha1.ThirdPartyAdapter{}, handler.EnqueueRequestsFromMapFunc(r.groupsOf(callsAdapter)), builder.WithPredicates(condition.ReadyChanged(adapterConditions))).
		Watches(&v1alpha1.MQConsumerGroup{}, handler.EnqueueRequestsFromMapFunc(r.groupsOf(sharesAdapter)), specChanged).
		WatchesRawSource(source.TypedChannel(pulse.wake, wake)).
		WithOptions(controller.Options{MaxConcurrentReconciles: parallel, ReconciliationTimeout: netTimeout, RateLimiter: result.Backoff()}).
		Complete(r)
}

func clusterConditions(o client.Object) []metav1.Condition {
	return o.(*v1alpha1.MQCluster).Status.Conditions //nolint:forcetypeassert // of a watch on this kind
}

func adapterConditions(o client.Object) []metav1.Condition {
	return o.(*v1alpha1.ThirdPartyAdapter).Status.Conditions //nolint:forcetypeassert // of a watch on this kind
}

// groupsOf finds the groups of the changed object's namespace that have to do with it.
func (r *Reconciler) groupsOf(concerned func(group *v1alpha1.MQConsumerGroup, changed client.Object) bool) handler.MapFunc {
	return func(ctx context.Context, changed client.Object) []reconcile.Request {
		var groups v1alpha1.MQConsumerGroupList
		if err := r.Client.List(ctx, &groups, client.InNamespace(changed.GetNamespace())); err != nil {
			return nil // the cache has them or is shutting down
		}
		var requests []reconcile.Request
		for i := range groups.Items {
			if concerned(&groups.Items[i], changed) {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&groups.Items[i])})
			}
		}
		return requests
	}
}

func onCluster(group *v1alpha1.MQConsumerGroup, cluster client.Object) bool {
	return group.Spec.ClusterRef.Name == cluster.GetName()
}

func callsAdapter(group *v1alpha1.MQConsumerGroup, adapter client.Object) bool {
	return calls(group, adapter.GetName())
}

// sharesAdapter: when another group's pods become more or fewer, this one's share of the account changes.
func sharesAdapter(group *v1alpha1.MQConsumerGroup, changed client.Object) bool {
	other := changed.(*v1alpha1.MQConsumerGroup) //nolint:forcetypeassert // of a watch on this kind
	return group.UID != other.UID && slices.ContainsFunc(other.Spec.Handler.Adapters(), func(name string) bool { return calls(group, name) })
}

func calls(group *v1alpha1.MQConsumerGroup, name string) bool {
	return slices.Contains(group.Spec.Handler.Adapters(), name)
}
