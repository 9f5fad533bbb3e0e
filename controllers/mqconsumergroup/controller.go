// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

const (
	// interval between two looks at a group that is not Ready, or has members that OrderFlow did not start.
	interval = 30 * time.Second
	// VerifyEvery is how often a group that is well is looked at, more or less: it is read back from its brokers, and its members are listed. What Kubernetes, the sampler
	// or the pods have to tell comes at once.
	VerifyEvery = 5 * time.Minute
	// quietInterval is the interval where all is well: a net, as a verification is due before.
	quietInterval = 2 * VerifyEvery
	// SecretEvery is how often a group's Secret is read, more or less.
	SecretEvery = 15 * time.Minute
	// MaxVerdicts is how many expressions are known to compile or not.
	MaxVerdicts = 10000
)

// Options are the operator's settings for all groups.
type Options struct {
	// WorkerImage of groups that name none.
	WorkerImage string
	// OperatorNamespace is where the operator runs: the pods let its sync calls in.
	OperatorNamespace string
	// PrivateNetworks are CIDRs inside private ranges that third parties may live in.
	PrivateNetworks []string
	// Tracing is where the pods' traces go; the zero Tracing is nowhere.
	Tracing Tracing
}

// Reconciler makes MQConsumerGroups real.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Reader
	// Secrets reads the groups' Secrets, without a cache.
	Secrets client.Reader
	// Applier writes.
	Applier *apply.Applier
	// Connector reaches the brokers.
	Connector *topology.Connector
	// Sampler knows the lag.
	Sampler *lag.Sampler
	// Syncer knows the pods.
	Syncer *workersync.Syncer
	// Verified remembers what was read back from brokers; nil: all is at every look.
	Verified *verification.Book
	// SecretsRead remembers when a group's Secret was read; nil: it is at every look.
	SecretsRead *verification.Book
	// Verdicts remembers of expressions whether they compile.
	Verdicts *lru.Cache
	// Recorder sends events.
	Recorder events.EventRecorder
	// Now is the clock.
	Now func() time.Time
	// Options of the operator.
	Options Options
}

// +kubebuilder:rbac:groups=orderflow.dev,resources=mqconsumergroups,verbs=list;watch;patch
// +kubebuilder:rbac:groups=orderflow.dev,resources=mqconsumergroups/status,verbs=update
// +kubebuilder:rbac:groups=orderflow.dev,resources=mqconsumergroups/finalizers,verbs=update
// +kubebuilder:rbac:groups=orderflow.dev,resources=mqclusters;orderflows;thirdpartyadapters,verbs=list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=serviceaccounts;services,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;patch
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile takes the group as far towards what it declares as is possible now, and writes down where it stands. On the brokers: the name is claimed for this object on
// the physical cluster, then every master gets the group with its retry and dead-letter topics, and every queue a start offset. In Kubernetes, once nothing is in the way: the pods'
// configuration, credentials, network policy and disruption budget, and a Deployment with as many pods as spec.replicas or the lag says. A group that is being
// deleted is left on the brokers; with deletionPolicy Delete all its messages are handled first, then the pods stop, and it is deleted there.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	group := &v1alpha1.MQConsumerGroup{}
	if err := r.Client.Get(ctx, request.NamespacedName, group); err != nil {
		if apierrors.IsNotFound(err) {
			r.Syncer.Forget(request.NamespacedName)
			r.Verified.Forget(request.NamespacedName)
			r.SecretsRead.Forget(request.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if behind, again := r.Applier.Behind(group); behind {
		return again, nil
	}
	if err := r.finalize(ctx, group); err != nil {
		return apply.Again(err)
	}
	before := group.DeepCopy()
	r.Applier.Recall(group)

	seen, err := r.gather(ctx, group)
	if err != nil {
		return ctrl.Result{}, err
	}
	seen.jumps = countJumps(seen)
	var done steps
	if group.DeletionTimestamp.IsZero() {
		done = r.advance(ctx, seen)
	} else {
		done = r.retire(ctx, seen)
	}
	if done.gone {
		return ctrl.Result{}, nil
	}
	setStatus(group, seen, done, r.Now())
	stampVerified(&group.Status, &before.Status, done)
	r.noteVerified(seen, done)

	left, err := r.Applier.StatusWithin(ctx, before, group, max(mayWait(before, group), untilTakenUp(before, group, done.made)))
	if err != nil {
		return apply.Again(err)
	}
	if left == 0 {
		r.record(group, before, condition.Changed(before.Status.Conditions, group.Status.Conditions))
	}
	r.recordRepairs(group, done)
	return result.Reconcile(intervalOf(seen, done), append(done.results(), tellPace(group, left), drainPace(group, seen, r.Now()), r.verifyPace(group))...)
}

// verifyPace asks for a look when the group is to be read back.
func (r *Reconciler) verifyPace(group *v1alpha1.MQConsumerGroup) result.Result {
	if !group.DeletionTimestamp.IsZero() {
		return result.Result{}
	}
	return result.Result{After: r.Verified.Until(client.ObjectKeyFromObject(group), r.Now())}
}

// intervalOf is short where strangers are among the members, too: somebody is about to stop them.
func intervalOf(seen *inputs, done steps) time.Duration {
	if result.Worst(done.results()...).IsDone() && len(foreign(seen)) == 0 {
		return quietInterval
	}
	return interval
}

// noteVerified remembers what was read back in this look, and forgets it where something is amiss.
func (r *Reconciler) noteVerified(seen *inputs, done steps) {
	switch key := client.ObjectKeyFromObject(seen.group); {
	case !done.broker.IsDone() || !done.claim.IsDone():
		r.Verified.Forget(key)
	case done.verified != nil:
		r.Verified.Note(key, seen.state, *done.verified)
	}
}

// steps are how far a reconcile came. A step that was not taken, since one before it is not done, is done itself: it says nothing.
type steps struct {
	// farewell: nothing keeps a deleted object from going.
	farewell result.Result
	// check: nothing declared is in the way of pods.
	check result.Result
	// claim: nothing is in the way of the group on the brokers, and it is this object's to write.
	claim result.Result
	// broker: group, topics and offsets are as declared.
	broker result.Result
	// flow: no pod is parked until somebody changes something.
	flow result.Result
	// loss: no message was deleted unread, as far as somebody has not taken note of it.
	loss result.Result
	// workload: the objects in Kubernetes are as declared, and the pods are ready.
	workload result.Result
	// limits are what pods should run with, and made is what else was applied; nil if that was not reached.
	limits *worker.Live
	made   *workload
	// claimed is the identity of the cluster the group is ours on; empty: not ours.
	claimed string
	// seeded is when every queue had a start offset for the first time.
	seeded *time.Time
	// madeLater are brokers that had the group no more, or not yet; seededLater are the offsets set after the group had begun.
	madeLater   []string
	seededLater []laterSeed
	// verified is when the group was read back from every master broker; nil: not in this look.
	verified *time.Time
	// gone says that the object was let go.
	gone bool
}

func (s steps) results() []result.Result {
	return []result.Result{s.farewell, s.check, s.claim, s.broker, s.flow, s.workload, s.loss}
}

// advance goes along three lanes, each as far as it is free. The way to the brokers needs no adapter: messages are sent while somebody
// corrects a reference, and a group begins where it was declared, not where its last mistake was found. Limits need no broker: pods that
// run take them over whatever else is wrong. The workload needs everything.
func (r *Reconciler) advance(ctx context.Context, seen *inputs) steps {
	done := steps{claimed: seen.group.Status.ClusterIdentity, check: check(seen)}
	ensureGroup(ctx, seen, r.Now(), &done)
	switch {
	case result.Worst(done.results()...).IsDone():
		done.workload = r.ensureWorkload(ctx, seen, &done)
	case seen.deployment != nil && (adaptersUsable(seen).IsDone() || seen.given != nil):
		done.workload = r.ensureLimits(ctx, seen, &done)
	}
	done.flow = flowing(seen, r.Now())
	done.loss = nothingLost(seen.group, seen.jumps)
	return done
}
