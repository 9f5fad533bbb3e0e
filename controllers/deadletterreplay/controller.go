// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
)

const (
	// interval between two looks at a replay that somebody has to do something for.
	interval = 30 * time.Second
	// lookAgain is how soon a replay that waits for a third party, or for its group, is looked at again.
	lookAgain = 5 * time.Second
	// brokerTimeout of all a batch reads from brokers.
	brokerTimeout = 30 * time.Second
	// parallel reconciles, so that a cluster that does not answer holds up few others.
	parallel = 4
)

// Reconciler runs DeadLetterReplays.
type Reconciler struct {
	// Client reads groups, adapters and clusters from the cache.
	Client client.Reader
	// Live reads replays and their records from the API server.
	Live client.Reader
	// Applier writes.
	Applier *apply.Applier
	// Connector reaches the brokers.
	Connector *topology.Connector
	// Heard reports whether the pods of a group were asked since the operator began.
	Heard func(group types.NamespacedName) bool
	// Recorder sends events.
	Recorder events.EventRecorder
	// Now is the clock.
	Now func() time.Time
}

// +kubebuilder:rbac:groups=orderflow.dev,resources=deadletterreplays,verbs=get;list;watch
// +kubebuilder:rbac:groups=orderflow.dev,resources=deadletterreplays/status,verbs=update
// +kubebuilder:rbac:groups=orderflow.dev,resources=deadletterreplays/finalizers,verbs=update
// +kubebuilder:rbac:groups=orderflow.dev,resources=mqclusters;mqconsumergroups;thirdpartyadapters,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager makes the manager call Reconcile for a replay that is new or was edited; the rest it asks for itself.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.DeadLetterReplay{}, builder.WithPredicates(demand.Changed())).
		WithOptions(controller.Options{MaxConcurrentReconciles: parallel, ReconciliationTimeout: 2 * brokerTimeout, RateLimiter: result.Backoff()}).
		Complete(r)
}

// Reconcile makes one batch, if nothing is in its way, and writes down how far the replay is.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	replay := &v1alpha1.DeadLetterReplay{}
	if err := r.Live.Get(ctx, request.NamespacedName, replay); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !replay.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	before := replay.DeepCopy()
	replay.Status.LastHandledReconcileAt = demand.Heard(replay, replay.Status.LastHandledReconcileAt)
	if replay.Status.CompletionTime != nil {
		return apply.Again(r.Applier.Status(ctx, before, replay))
	}
	seen, err := r.gather(ctx, replay)
	if err != nil {
		return ctrl.Result{}, err
	}
	step := check(seen)
	if step.IsDone() {
		if step, err = r.gatherEarlier(ctx, seen); err != nil {
			return ctrl.Result{}, err
		}
	}
	if step.IsDone() {
		step, err = r.advance(ctx, seen)
	}
	if apierrors.IsConflict(err) {
		return apply.Again(err)
	}
	if err != nil {
		step = result.Fail(v1alpha1.ReasonApplyFailed, err, "writing down what became of dead letters")
		seen.record = nil // what of it was written is not known: the status counts what was
	}
	setStatus(seen, step, r.Now())
	if err := r.Applier.Status(ctx, before, replay); err != nil {
		return apply.Again(err)
	}
	condition.RecordReady(r.Recorder, replay, replay.Status.Conditions, condition.Changed(before.Status.Conditions, replay.Status.Conditions))
	if replay.Status.CompletionTime != nil {
		return ctrl.Result{}, nil
	}
	return result.Reconcile(interval, step)
}
