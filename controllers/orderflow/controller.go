// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	"github.com/orderflow-dev/orderflow/controllers/index"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/controllers/wake"
)

const (
	// interval between two looks at a flow that is not Ready, or whose binding has of Secrets, and how old the summary of its consumers' lag and pods may be. A flow that is well
	// otherwise is looked at when its topic is to be read back; quietInterval is a net beyond that.
	interval, quietInterval = time.Minute, 2 * VerifyEvery
	// settle is how long it waits for those of its siblings that a group became Ready or stalls, or does so no more, and settleLong how long anything else of what is
	// said of it waits: on its way a group has several things to say, and its flow would repeat each.
	settle, settleLong = time.Second, 10 * time.Second
	// lookAgain is how soon something on its way is looked at again.
	lookAgain = 10 * time.Second
	// timeout of what is read from the brokers for one flow, and of what is written to them. The status is written after it.
	timeout = 10 * time.Second
	// parallel reconciles, so that a broker that does not answer holds up no other flow.
	parallel = 16
	// finalizer of a flow whose topic is to be deleted.
	finalizer = "orderflow.dev/topic"
)

// Reconciler makes the world as OrderFlows declare.
type Reconciler struct {
	// Client reads OrderFlow's kinds.
	Client client.Client
	// Applier writes to the API.
	Applier *apply.Applier
	// Connector reaches the clusters.
	Connector *topology.Connector
	// Verified remembers what was read back from brokers.
	Verified *verification.Book
	// Recorder sends events.
	Recorder events.EventRecorder
	// Now is the clock.
	Now func() time.Time

	heard memory
}

// +kubebuilder:rbac:groups=orderflow.dev,resources=orderflows,verbs=list;watch;patch
// +kubebuilder:rbac:groups=orderflow.dev,resources=orderflows/status,verbs=update
// +kubebuilder:rbac:groups=orderflow.dev,resources=orderflows/finalizers,verbs=update
// +kubebuilder:rbac:groups=orderflow.dev,resources=mqclusters,verbs=list;watch
// +kubebuilder:rbac:groups=orderflow.dev,resources=mqconsumergroups,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager makes the manager call Reconcile.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	turned := predicate.Or(condition.Turned(groupConditions), seeded())
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.OrderFlow{}, builder.WithPredicates(predicate.Or(demand.Changed(), claimed()), wake.NotDeclared())).
		Watches(&v1alpha1.OrderFlow{}, wake.Declared(observedGeneration)).
		Watches(&v1alpha1.MQConsumerGroup{}, wake.Soon(settle, ownerOf), builder.WithPredicates(turned)).
		Watches(&v1alpha1.MQConsumerGroup{}, wake.Soon(settleLong, ownerOf), builder.WithPredicates(condition.ReadyChanged(groupConditions), predicate.Not(turned))).
		Watches(&v1alpha1.MQConsumerGroup{}, wake.Soon(interval, ownerOf), builder.WithPredicates(condition.Counted())).
		Watches(&v1alpha1.MQCluster{}, wake.Soon(0, r.flowsOn), builder.WithPredicates(topology.Changed())).
		WithOptions(controller.Options{MaxConcurrentReconciles: parallel, RateLimiter: result.Backoff()}).
		Complete(r)
}

// secret reports whether the binding has of the cluster's Secrets, of whose changes nobody tells.
func secret(cluster *v1alpha1.MQCluster) bool {
	return cluster != nil && (cluster.Spec.ACL != nil || cluster.Spec.TLS != nil)
}

// claimed lets through that the cache has a claim: only then the topic is written to the brokers.
func claimed() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return claimOn(e.ObjectOld.(*v1alpha1.OrderFlow)) != claimOn(e.ObjectNew.(*v1alpha1.OrderFlow)) //nolint:forcetypeassert // of a watch on this kind
	}}
}

func observedGeneration(o client.Object) int64 {
	return o.(*v1alpha1.OrderFlow).Status.ObservedGeneration //nolint:forcetypeassert // of a watch on this kind
}

// claimOn is the identity of the cluster on which the flow has claimed its topic; empty: none.
func claimOn(flow *v1alpha1.OrderFlow) string {
	if flow.Status.Topic == nil {
		return ""
	}
	return flow.Status.Topic.ClusterIdentity
}

// seeded lets through that a group has its start offsets: producers may send when all have.
func seeded() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.MQConsumerGroup), e.ObjectNew.(*v1alpha1.MQConsumerGroup) //nolint:forcetypeassert // it is what is watched
		return (was.Status.SeededTime == nil) != (is.Status.SeededTime == nil)
	}}
}

// ownerOf is the flow a group belongs to.
func ownerOf(_ context.Context, group client.Object) []reconcile.Request {
	owner := metav1.GetControllerOf(group)
	if owner == nil || owner.Kind != "OrderFlow" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: group.GetNamespace(), Name: owner.Name}}}
}

func groupConditions(o client.Object) []metav1.Condition {
	return o.(*v1alpha1.MQConsumerGroup).Status.Conditions //nolint:forcetypeassert // it is what is watched
}

// flowsOn are the flows that refer to an MQCluster.
func (r *Reconciler) flowsOn(ctx context.Context, cluster client.Object) []reconcile.Request {
	flows := &v1alpha1.OrderFlowList{}
	if err := r.Client.List(ctx, flows, client.InNamespace(cluster.GetNamespace()), client.MatchingFields{index.Cluster: cluster.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil // no cache to read from: every flow is looked at when there is
	}
	var requests []reconcile.Request
	for i := range flows.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&flows.Items[i])})
	}
	return requests
}

// Reconcile brings one flow a step further and writes down how far it is: the topic is claimed on the physical cluster, then put on every master and read back; an
// MQConsumerGroup is applied for each consumer, and those of consumers that are declared no more are deleted; at last comes the Secret that producers send by, since who
// can send before a group has its start offsets sends what that group never sees. A flow that is being deleted leaves its topic, unless deletionPolicy is Delete.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	flow := &v1alpha1.OrderFlow{}
	if err := r.Client.Get(ctx, request.NamespacedName, flow); err != nil {
		if apierrors.IsNotFound(err) {
			r.heard.forget(request.NamespacedName)
			r.Verified.Forget(request.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if behind, again := r.Applier.Behind(flow); behind {
		return again, nil
	}
	if !flow.DeletionTimestamp.IsZero() {
		return r.reconcileDeleted(ctx, flow)
	}
	if err := r.Applier.Finalizer(ctx, flow, finalizer, flow.Spec.Topic.DeletionPolicy == v1alpha1.DeletionDelete); err != nil {
		return apply.Again(err)
	}
	before := flow.DeepCopy()
	r.Applier.Recall(flow)

	seen, err := r.gather(ctx, flow)
	if err != nil {
		return ctrl.Result{}, err
	}
	done := progress{plan: planTopic(flow, seen)}
	done.topic = done.plan.result
	if done.plan.write {
		done.brokers = r.putTopic(ctx, seen, done.plan)
		done.topic = judge(flow, done.plan, done.brokers)
		if done.topic.IsDone() {
			flow.Status.Topic.OrderQueues = listOrderQueues(flow.Status.Topic.OrderQueues, seen.cluster, done.brokers)
		}
	}
	if done.plan.owned {
		done.groups, done.applied = r.applyGroups(ctx, flow)
		if done.binding = mayBind(flow, seen, done); done.binding.IsDone() {
			done.binding = r.applyBinding(ctx, flow, seen.cluster)
		}
	}
	setStatus(flow, done, seen.traffic, r.Now())
	r.noteVerified(flow, before, seen, done)

	left, err := r.Applier.StatusWithin(ctx, before, flow, mayWait(before, flow))
	if err != nil {
		return apply.Again(err)
	}
	var changed []condition.Transition
	if left == 0 {
		changed = condition.Changed(before.Status.Conditions, flow.Status.Conditions)
	}
	r.record(flow, done, changed)
	pace := interval
	if result.Worst(done.results()...).IsDone() && !secret(seen.cluster) {
		pace = quietInterval
	}
	answer, err := result.Reconcile(pace, append(done.results(), result.Result{After: r.Verified.Until(request.NamespacedName, r.Now())}, result.Result{After: left})...)
	answer.RequeueAfter = listenAgain(flow, seen.traffic, answer.RequeueAfter, r.Now())
	return answer, err
}
