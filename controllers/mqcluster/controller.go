// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/verification"
)

const (
	// interval between two looks at a cluster where all is well.
	interval = time.Minute
	// parallel reconciles, so that a cluster that does not answer holds up no other.
	parallel = 8
)

// Reconciler keeps the status of MQClusters true.
type Reconciler struct {
	// Client reads MQClusters.
	Client client.Client
	// Applier writes their status.
	Applier *apply.Applier
	// Connector reaches the clusters.
	Connector *topology.Connector
	// Verified remembers when a cluster was last read.
	Verified *verification.Book
	// Recorder sends events.
	Recorder events.EventRecorder
	// Now is the clock.
	Now func() time.Time
}

// +kubebuilder:rbac:groups=orderflow.dev,resources=mqclusters,verbs=list;watch
// +kubebuilder:rbac:groups=orderflow.dev,resources=mqclusters/status,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager makes the manager call Reconcile, also for MQClusters whose brokers have turned: fallen silent, or not any more.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, turned <-chan event.TypedGenericEvent[*v1alpha1.MQCluster]) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.MQCluster{}, builder.WithPredicates(demand.Changed())).
		WatchesRawSource(source.TypedChannel(turned, &handler.TypedEnqueueRequestForObject[*v1alpha1.MQCluster]{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: parallel, RateLimiter: result.Backoff()}).
		Complete(r)
}

// Reconcile looks at the cluster once and writes down what it saw: the name servers tell the masters, each of which tells its version, its settings and how full
// its disk is. Of these come the identity of the physical cluster, which claims are made on, and what brokers have on and off. It writes nothing but the status.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	cluster := &v1alpha1.MQCluster{}
	if err := r.Client.Get(ctx, request.NamespacedName, cluster); err != nil {
		if apierrors.IsNotFound(err) {
			r.Connector.Forget(request.NamespacedName)
			r.Verified.Forget(request.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if behind, again := r.Applier.Behind(cluster); behind {
		return again, nil
	}
	before := cluster.DeepCopy()

	seen := r.gather(ctx, cluster)
	results := check(seen)
	setStatus(cluster, seen, results, r.Now())
	r.noteVerified(cluster, before, results)

	if err := r.Applier.Status(ctx, before, cluster); err != nil {
		return apply.Again(err)
	}
	r.record(cluster, before, condition.Changed(before.Status.Conditions, cluster.Status.Conditions))
	return result.Reconcile(interval, results...)
}

// noteVerified remembers that all was read. The status says when with whatever else has changed: the time alone is not worth a write.
func (r *Reconciler) noteVerified(cluster, before *v1alpha1.MQCluster, results []result.Result) {
	key := client.ObjectKeyFromObject(cluster)
	if !result.Worst(results...).IsDone() {
		r.Verified.Forget(key)
		return
	}
	r.Verified.Note(key, "", r.Now())
	if cluster.Status.LastVerifiedTime == nil || !equality.Semantic.DeepEqual(cluster.Status, before.Status) {
		cluster.Status.LastVerifiedTime = new(metav1.NewTime(r.Now()))
	}
}
