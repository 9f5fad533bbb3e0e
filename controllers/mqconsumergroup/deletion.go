// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// finalizer keeps an object with deletionPolicy Delete until its group is gone from the brokers.
const finalizer = "orderflow.dev/broker-group"

// patience with brokers that cannot be reached; after it the object is let go and the group left behind.
const patience = 10 * time.Minute

// finalize gives the object its finalizer, or takes it away: only deletionPolicy Delete has one.
func (r *Reconciler) finalize(ctx context.Context, group *v1alpha1.MQConsumerGroup) error {
	before := group.DeepCopy()
	switch {
	case group.Spec.DeletionPolicy != v1alpha1.DeletionDelete:
		controllerutil.RemoveFinalizer(group, finalizer)
	case group.DeletionTimestamp.IsZero():
		controllerutil.AddFinalizer(group, finalizer)
	}
	return r.patchFinalizers(ctx, before, group)
}

func (r *Reconciler) patchFinalizers(ctx context.Context, before, after *v1alpha1.MQConsumerGroup) error {
	if len(before.Finalizers) == len(after.Finalizers) {
		return nil
	}
	// The lock keeps a finalizer that somebody else added meanwhile.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, after, patch, apply.FieldOwner); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the finalizers: %w", err)
	}
	return nil
}

// retire takes the group off the brokers once every message was handled and every pod has stopped, and lets the object go.
func (r *Reconciler) retire(ctx context.Context, seen *inputs) steps {
	group := seen.group
	done := steps{claimed: group.Status.ClusterIdentity}
	switch {
	case !controllerutil.ContainsFinalizer(group, finalizer):
		done.gone = true // what is in Kubernetes goes with its owner
		return done
	case done.claimed == "":
		return r.letGo(ctx, seen, done)
	case seen.cluster == nil:
		r.leftBehind(group, "its MQCluster "+group.Spec.ClusterRef.Name+" does not exist any more")
		return r.letGo(ctx, seen, done)
	case !seen.reached.IsDone():
		if r.Now().Sub(group.DeletionTimestamp.Time) > patience {
			r.leftBehind(group, seen.reached.Message)
			return r.letGo(ctx, seen, done)
		}
		done.check = seen.reached
		return done
	}
	if done.broker = r.empty(ctx, seen); !done.broker.IsDone() {
		return done
	}
	if err := deleteGroup(ctx, seen.broker, group.Spec.Group); err != nil {
		done.broker = result.Fail(v1alpha1.ReasonBrokerRefused, err, "deleting group %s", group.Spec.Group)
		return done
	}
	condition.Event(r.Recorder, group, corev1.EventTypeNormal, eventDeleted, deletedSentence(seen))
	return r.letGo(ctx, seen, done)
}

// letGo takes the finalizer away.
func (r *Reconciler) letGo(ctx context.Context, seen *inputs, done steps) steps {
	before := seen.group.DeepCopy()
	controllerutil.RemoveFinalizer(seen.group, finalizer)
	if err := r.patchFinalizers(ctx, before, seen.group); err != nil {
		done.workload = result.Fail(v1alpha1.ReasonApplyFailed, err, "letting the object go")
		return done
	}
	done.gone = true
	return done
}

func (r *Reconciler) leftBehind(group *v1alpha1.MQConsumerGroup, why string) {
	condition.Event(r.Recorder, group, corev1.EventTypeWarning, eventLeftBehind,
		fmt.Sprintf("group %s, with its retries and dead letters, was left on the brokers although deletionPolicy is Delete: %s", group.Spec.Group, why))
}

// empty waits until no message is unconsumed, then stops the pods and waits until the brokers list no member.
func (r *Reconciler) empty(ctx context.Context, seen *inputs) result.Result {
	group := seen.group
	// Once the pods were told to stop there is no way back: what arrives from then on is the topic's, not the group's.
	if ready := meta.FindStatusCondition(group.Status.Conditions, v1alpha1.ConditionBrokerReady); ready == nil || ready.Reason != v1alpha1.ReasonDeleting {
		switch {
		case !seen.signals.Fresh(r.Now(), fresh):
			return result.Wait(v1alpha1.ReasonNotRead, lookAgain, "waiting to know how many messages of group %s are not handled yet", group.Spec.Group)
		case seen.signals.Lag > 0:
			return result.Wait(v1alpha1.ReasonMessagesUnconsumed, lookAgain,
				"%s messages of group %s are not handled yet and its pods go on; to keep the group on the broker instead, set deletionPolicy to Retain",
				thousands(seen.signals.Lag), group.Spec.Group)
		}
	}
	if err := r.Applier.Prune(ctx, group, &appsv1.DeploymentList{}, nil, client.MatchingLabels{labelGroup: group.Name}); err != nil {
		return result.Fail(v1alpha1.ReasonApplyFailed, err, "stopping the pods")
	}
	if len(seen.broker.members) > 0 || len(seen.pods) > 0 {
		return result.Wait(v1alpha1.ReasonDeleting, switchInterval, "every message was handled; %d pods and %d members at the brokers are still to leave: %s",
			len(seen.pods), len(seen.broker.members), list(seen.broker.members))
	}
	return result.Result{}
}

// deleteGroup removes group, offsets, retries and dead letters from every master. What is not there is no error, so it can be repeated.
func deleteGroup(ctx context.Context, b brokerFacts, name string) error {
	var failures []error
	own := []string{rocketmq.RetryTopic(name), rocketmq.DeadLetterTopic(name)}
	for _, m := range b.masters {
		failures = append(failures, b.admin.DeleteGroup(ctx, m.Addr, name, true))
		for _, topic := range own {
			failures = append(failures, b.admin.DeleteTopic(ctx, m.Addr, topic))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	for _, topic := range own {
		failures = append(failures, b.admin.DeleteRoute(ctx, topic))
	}
	return errors.Join(failures...)
}

func deletedSentence(seen *inputs) string {
	text := fmt.Sprintf("group %s was deleted from %d brokers, with its offsets and retries", seen.group.Spec.Group, len(seen.broker.masters))
	if seen.signals.DeadLetters > 0 {
		text += fmt.Sprintf(", and %s dead letters", thousands(seen.signals.DeadLetters))
	}
	return text
}
