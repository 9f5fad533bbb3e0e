// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/index"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/scaling"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// switchInterval lies between two looks at pods that stop before their subscription changes.
const switchInterval = time.Second

// workload is what was applied.
type workload struct {
	// structureName is the pods' configuration, as wanted.
	structureName string
	// deployment as it is after it was applied.
	deployment *appsv1.Deployment
	// decision on the number of pods, nil if spec.replicas sets it.
	decision *scaling.Decision
}

// ensureLimits applies what running pods take over, limits and credentials, and lets the Syncer tell them.
func (r *Reconciler) ensureLimits(ctx context.Context, seen *inputs, done *steps) result.Result {
	limits, limitsErr := live(seen)
	config, configErr := liveConfig(seen.group, limits)
	if err := errors.Join(limitsErr, configErr); err != nil {
		return result.Fail(v1alpha1.ReasonApplyFailed, err, "making the workers' limits")
	}
	credentials, failed := r.ensureCredentials(ctx, seen)
	if !failed.IsDone() {
		return failed
	}
	if failed := r.applyAll(ctx, seen, config); !failed.IsDone() {
		return failed
	}
	r.Syncer.Expect(client.ObjectKeyFromObject(seen.group), workersync.Group{
		ServerName: worker.SyncServerName(seen.group.Namespace, seen.group.Name), Credentials: credentials, Live: limits,
		Unwatched: broadcasts(seen.group) || !seen.reached.IsDone(),
	})
	if podsChanged(seen) {
		r.Syncer.Soon(client.ObjectKeyFromObject(seen.group))
	}
	done.limits = &limits
	return result.Result{}
}

// podsChanged reports whether there are pods that were not asked yet, or reports of such as are gone.
func podsChanged(seen *inputs) bool {
	return len(seen.pods) != len(seen.reports) || slices.ContainsFunc(seen.pods, func(pod corev1.Pod) bool {
		return !slices.ContainsFunc(seen.reports, func(r workersync.Report) bool { return r.Pod == pod.Name })
	})
}

// ensureWorkload applies all objects of the group and says how far the pods are.
func (r *Reconciler) ensureWorkload(ctx context.Context, seen *inputs, done *steps) result.Result {
	if failed := r.ensureLimits(ctx, seen, done); !failed.IsDone() {
		return failed
	}
	wanted, err := keepsPods(seen.running, structure(seen))
	if err != nil {
		return result.Fail(v1alpha1.ReasonApplyFailed, err, "making the workers' configuration")
	}
	config, err := structureConfig(seen.group, wanted)
	if err != nil {
		return result.Fail(v1alpha1.ReasonApplyFailed, err, "making the workers' configuration")
	}
	made := &workload{structureName: config.Name}
	replicas, decision := replicas(seen, r.Now())
	made.decision = decision
	template := config.Name
	switching := stopFirst(seen, wanted, config.Name)
	if !switching.IsDone() {
		template, replicas = structureOf(seen.deployment), 0
	}
	made.deployment = deployment(seen, template, replicas)
	stamp(made.deployment, seen.deployment, r.Now())
	failed := r.applyAll(ctx, seen, serviceAccount(seen.group), config, service(seen.group), disruptionBudget(seen.group), networkPolicy(seen), made.deployment)
	if !failed.IsDone() {
		return failed
	}
	done.made = made
	if !switching.IsDone() {
		return switching
	}
	progress := podsReady(made.deployment, seen.pods)
	if progress.IsDone() {
		// No pod needs the structures of before any more.
		err := r.Applier.Prune(ctx, seen.group, &corev1.ConfigMapList{}, []string{config.Name},
			client.MatchingFields{index.GroupLabel: seen.group.Name}, client.MatchingLabels{labelConfig: "structure"})
		if err != nil {
			return result.Fail(v1alpha1.ReasonApplyFailed, err, "removing old configuration")
		}
	}
	return progress
}

func (r *Reconciler) applyAll(ctx context.Context, seen *inputs, objects ...client.Object) result.Result {
	for _, object := range objects {
		if err := r.Applier.Apply(ctx, seen.group, object); err != nil {
			return applyFailed(err)
		}
	}
	return result.Result{}
}

func applyFailed(err error) result.Result {
	var taken *apply.TakenError
	switch {
	case errors.As(err, &taken):
		return result.Stall(v1alpha1.ReasonApplyFailed, "%v: rename or delete it, or choose another name for this MQConsumerGroup", err).Again(interval)
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err):
		return result.Stall(v1alpha1.ReasonApplyFailed, "the API server refuses: %v", err).Again(interval)
	}
	return result.Fail(v1alpha1.ReasonApplyFailed, err, "applying the group's objects")
}

// stopFirst waits until no member is left, where the new structure would have members of one group subscribe differently.
func stopFirst(seen *inputs, wanted worker.Structure, structureName string) result.Result {
	if seen.deployment == nil || structureOf(seen.deployment) == structureName {
		return result.Result{}
	}
	old := seen.running
	if old != nil && membership(old) == membership(&wanted) {
		return result.Result{}
	}
	d, members := seen.deployment, seen.broker.members
	counted := d.Status.ObservedGeneration >= d.Generation // else pods of before may be in the making
	if counted && wantedReplicas(d)+d.Status.Replicas == 0 && len(seen.pods) == 0 && len(members) == 0 {
		return result.Result{}
	}
	what := "what the pods subscribe to is not known, and may change"
	if old != nil {
		what = fmt.Sprintf("the subscription changes from %s to %s", membership(old), membership(&wanted))
	}
	return result.Wait(v1alpha1.ReasonProgressing, switchInterval, "%s: all pods stop before new ones start, and messages wait in the broker meanwhile; %d pods and %d members at the broker are left%s",
		what, len(seen.pods), len(members), named(members))
}

// named lists members that are awaited. A pod that was killed may stay among them for two minutes; one that is no pod somebody else has to stop.
func named(members []string) string {
	if len(members) == 0 {
		return ""
	}
	return ": " + list(members)
}

// membership is what all members of a group have to have in common. A shadow among those that send would let messages pass unsent.
func membership(s *worker.Structure) string {
	what := s.TagExpression
	if s.SQLExpression != "" {
		what = "SQL92 " + s.SQLExpression
	}
	what = fmt.Sprintf("%s, %s", what, s.Mode)
	if s.Broadcasting {
		what += ", Broadcasting"
	}
	if s.Shadow {
		what += ", Shadow"
	}
	return what
}

// wantedReplicas is what was last asked of Kubernetes.
func wantedReplicas(d *appsv1.Deployment) int32 {
	if d == nil || d.Spec.Replicas == nil {
		return 0
	}
	return *d.Spec.Replicas
}

// ensureCredentials applies the group's Secret, and returns what it holds. Nobody tells of changes of Secrets, so it is read now and then, and where pods do not answer.
func (r *Reconciler) ensureCredentials(ctx context.Context, seen *inputs) (workersync.Credentials, result.Result) {
	key, state := client.ObjectKeyFromObject(seen.group), string(seen.group.UID)
	unheard := slices.ContainsFunc(seen.reports, func(report workersync.Report) bool { return report.Err != nil })
	if known := r.Syncer.Credentials(key); known.Token != "" && !unheard && !r.SecretsRead.IsDue(key, state, r.Now()) {
		return known, result.Result{}
	}
	credentials, err := r.makeCredentials(ctx, seen)
	if err != nil {
		return credentials, applyFailed(err)
	}
	r.SecretsRead.Note(key, state, r.Now())
	return credentials.Public(), result.Result{}
}

// makeCredentials makes the Secret of a group that has no Deployment yet, and so most likely none, or has the one there is hold what is right.
func (r *Reconciler) makeCredentials(ctx context.Context, seen *inputs) (workersync.Credentials, error) {
	group := seen.group
	if seen.deployment == nil {
		credentials, err := r.renewed(group, nil)
		if err != nil {
			return credentials, err
		}
		if made, err := r.Applier.Make(ctx, group, secret(group, credentials)); made || err != nil {
			return credentials, err
		}
	}
	found, err := find(ctx, r.Secrets, group.Namespace, syncSecretName(group), &corev1.Secret{})
	if err != nil {
		return workersync.Credentials{}, err
	}
	credentials, err := r.renewed(group, found)
	if err != nil {
		return credentials, err
	}
	return credentials, r.Applier.Apply(ctx, group, secret(group, credentials))
}

// renewed are the credentials in a group's Secret, nil if it has none, made anew where they have to be.
func (r *Reconciler) renewed(group *v1alpha1.MQConsumerGroup, found *corev1.Secret) (workersync.Credentials, error) {
	var data map[string][]byte
	if found != nil {
		data = found.Data
	}
	return workersync.ReadCredentials(data).Renew(worker.SyncServerName(group.Namespace, group.Name), r.Now())
}

func secret(group *v1alpha1.MQConsumerGroup, c workersync.Credentials) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: objectMeta(group, syncSecretName(group)), Type: corev1.SecretTypeOpaque, Data: c.Data()}
}
