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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/patience"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// finalizer keeps an object with deletionPolicy Delete until its group is gone from the brokers.
const finalizer = "orderflow.dev/broker-group"

// finalize gives the object its finalizer, or takes it away: only deletionPolicy Delete has one, and it is not added to what is going.
func (r *Reconciler) finalize(ctx context.Context, group *v1alpha1.MQConsumerGroup) error {
	wanted := group.Spec.DeletionPolicy == v1alpha1.DeletionDelete
	if wanted && !group.DeletionTimestamp.IsZero() {
		return nil
	}
	return r.Applier.Finalizer(ctx, group, finalizer, wanted)
}

// retire takes the group off the brokers once every message was handled and every pod has stopped, and lets the object go.
func (r *Reconciler) retire(ctx context.Context, seen *inputs) steps {
	group := seen.group
	done := steps{claimed: group.Status.ClusterIdentity}
	switch why := notOurs(seen); {
	case !controllerutil.ContainsFinalizer(group, finalizer):
		done.gone = true // what is in Kubernetes goes with its owner
		return done
	case done.claimed == "":
		return r.letGo(ctx, seen, done)
	case why != "":
		r.leftBehind(group, why)
		return r.letGo(ctx, seen, done)
	}
	outage := allReached(seen)
	if outage.IsDone() {
		if wait := unhandled(seen, r.Now()); !wait.IsDone() && !stopping(group) {
			return r.carryOn(ctx, seen, wait)
		}
		if done.farewell = r.stop(ctx, seen); !done.farewell.IsDone() {
			return done
		}
		outage = deleteGroup(ctx, seen.broker, group.Spec.Group)
	}
	switch {
	case outage.IsDone():
		condition.Event(r.Recorder, group, corev1.EventTypeNormal, eventDeleted, deletedSentence(seen))
		return r.letGo(ctx, seen, done)
	case patience.IsOver(group.Status.Conditions, v1alpha1.ConditionBrokerReady, group.DeletionTimestamp.Time, r.Now()):
		r.leftBehind(group, fmt.Sprintf("it could not be deleted for %v: %s", patience.Limit, outage.Message))
		return r.letGo(ctx, seen, done)
	case stopping(group):
		outage.Reason = v1alpha1.ReasonDeleting // there is still no way back
	}
	done.claim = outage
	return done
}

// allReached is done if every master was asked, those included that the name servers dropped.
func allReached(seen *inputs) result.Result {
	if lost := seen.broker.lost; seen.reached.IsDone() && len(lost) > 0 {
		return result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain,
			"the name servers have dropped broker %s, and nobody knows what it holds of group %s: start it again; to keep the group on the brokers instead, set deletionPolicy to Retain",
			lost[0].Name, seen.group.Spec.Group)
	}
	return seen.reached
}

// notOurs says why the group the brokers may have now is not the one this object made. Empty: it is.
func notOurs(seen *inputs) string {
	group, name := seen.group, seen.group.Spec.ClusterRef.Name
	owner := claim.Winner(seen.claims)
	switch {
	case seen.cluster == nil:
		return "its MQCluster " + name + " does not exist any more"
	case topology.Usable(seen.cluster, name).IsDone() && seen.cluster.Status.Identity != group.Status.ClusterIdentity:
		return "MQCluster " + name + " is another RocketMQ cluster now than the one on which the group was made"
	case owner.UID != group.UID:
		return "MQConsumerGroup " + owner.Object.String() + " declares it as well, and is older"
	}
	return ""
}

// stopping reports whether the pods were told to stop: what arrives from then on is the topic's, not the group's.
func stopping(group *v1alpha1.MQConsumerGroup) bool {
	ready := meta.FindStatusCondition(group.Status.Conditions, v1alpha1.ConditionBrokerReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonDeleting
}

// letGo takes the finalizer away.
func (r *Reconciler) letGo(ctx context.Context, seen *inputs, done steps) steps {
	if err := r.Applier.Finalizer(ctx, seen.group, finalizer, false); err != nil {
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

// counted is how old the look at the messages of a group may be by which it is deleted.
const counted = 30 * time.Second

// unhandled waits until no message is left that the group has not handled.
func unhandled(seen *inputs, now time.Time) result.Result {
	s, name := seen.signals, seen.group.Spec.Group
	known := s.Fresh(now) && !s.Unseeded
	switch {
	case broadcasts(seen.group): // what a pod has not handled nobody else would
		return result.Result{}
	case known && s.Lag > 0:
		return result.Wait(v1alpha1.ReasonMessagesUnconsumed, lookAgain,
			"%s messages of group %s are not handled yet, and %s; to keep the group on the broker instead, set deletionPolicy to Retain",
			thousands(s.Lag), name, whoHandles(seen))
	case !known, now.Sub(s.Time) >= counted, now.Sub(s.Retries) >= counted:
		return result.Wait(v1alpha1.ReasonNotRead, lookAgain, "waiting to know how many messages of group %s are not handled yet", name)
	}
	return result.Result{}
}

func whoHandles(seen *inputs) string {
	switch wanted := seen.group.Spec.Replicas; {
	case closed(seen):
		return "no pod gets them, since OrderFlow " + seen.flow.Name + " gives the topic the permission Write: set it to Read"
	case podsGoFirst(seen.group):
		return "no pod handles them, since the deletion in the foreground takes pods away first"
	case seen.suspended.holds():
		return "no pod handles them, since the group is suspended: " + seen.suspended.by
	case len(seen.pods) > 0:
		return fmt.Sprintf("its %d pods go on", len(seen.pods))
	case wanted != nil && *wanted == 0:
		return "no pod handles them, since spec.replicas is 0: raise it"
	}
	return "no pod handles them at the moment"
}

// podsGoFirst: Kubernetes deletes what an object owns before the object (kubectl delete --cascade=foreground, Argo CD).
func podsGoFirst(group *v1alpha1.MQConsumerGroup) bool {
	return slices.Contains(group.Finalizers, metav1.FinalizerDeleteDependents)
}

// carryOn keeps the pods of a deleted group as those of any other until nothing is left to handle: scaled, and with offsets in new queues.
// Where Kubernetes takes them away it would take them away again.
func (r *Reconciler) carryOn(ctx context.Context, seen *inputs, wait result.Result) steps {
	done := steps{claimed: seen.group.Status.ClusterIdentity}
	if !podsGoFirst(seen.group) {
		done = r.advance(ctx, seen)
	}
	done.farewell = wait
	return done
}

// stop stops the pods and waits until the brokers list no member.
func (r *Reconciler) stop(ctx context.Context, seen *inputs) result.Result {
	group := seen.group
	if err := r.Applier.Prune(ctx, group, &appsv1.DeploymentList{}, nil, client.MatchingLabels{labelGroup: group.Name}); err != nil {
		return result.Fail(v1alpha1.ReasonDeleting, err, "stopping the pods")
	}
	if len(seen.broker.members) > 0 || len(seen.pods) > 0 {
		return result.Wait(v1alpha1.ReasonDeleting, switchInterval, "every message was handled; %d pods and %d members at the brokers are still to leave: %s",
			len(seen.pods), len(seen.broker.members), list(seen.broker.members))
	}
	return result.Result{}
}

// deleteGroup removes group, offsets, retries and dead letters from every master. What is not there is no error, so it can be repeated.
func deleteGroup(ctx context.Context, b brokerFacts, name string) result.Result {
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	var failures []error
	own := []string{rocketmq.RetryTopic(name), rocketmq.DeadLetterTopic(name)}
	for _, m := range b.masters {
		failures = append(failures, b.admin.DeleteGroup(ctx, m.Addr, name, true))
		for _, topic := range own {
			failures = append(failures, b.admin.DeleteTopic(ctx, m.Addr, topic))
		}
	}
	if errors.Join(failures...) == nil { // while a broker has a topic, its route is needed
		for _, topic := range own {
			failures = append(failures, b.admin.DeleteRoute(ctx, topic))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return result.Fail(v1alpha1.ReasonDeleting, err, "deleting group %s", name)
	}
	return result.Result{}
}

func deletedSentence(seen *inputs) string {
	text := fmt.Sprintf("group %s was deleted from %d brokers, with its offsets and retries", seen.group.Spec.Group, len(seen.broker.masters))
	if seen.signals.DeadLetters > 0 {
		text += fmt.Sprintf(", and %s dead letters", thousands(seen.signals.DeadLetters))
	}
	return text
}
