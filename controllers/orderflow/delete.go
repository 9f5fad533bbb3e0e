// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/patience"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
)

// farewell is what becomes of a deleted flow.
type farewell struct {
	// wait says why it has to stay; done lets it go.
	wait result.Result
	// event and message tell what became of the topic.
	event, message string
}

// reconcileDeleted deletes the topic of a flow that goes, as far as that is wanted, possible and safe, and then lets the flow go.
func (r *Reconciler) reconcileDeleted(ctx context.Context, flow *v1alpha1.OrderFlow) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(flow, finalizer) {
		return ctrl.Result{}, nil
	}
	before := flow.DeepCopy()
	end, err := r.sayGoodbye(ctx, flow)
	if err != nil {
		return ctrl.Result{}, err
	}
	if end.wait.IsDone() {
		if end.event != "" {
			kind := corev1.EventTypeNormal
			if end.event == eventTopicLeftBehind {
				kind = corev1.EventTypeWarning
			}
			condition.Event(r.Recorder, flow, kind, end.event, end.message)
		}
		return apply.Again(r.Applier.Finalizer(ctx, flow, finalizer, false))
	}
	flow.Status.ObservedGeneration = flow.Generation
	flow.Status.LastHandledReconcileAt = demand.Heard(flow, flow.Status.LastHandledReconcileAt)
	conditions := append(condition.Summary("", end.wait), topicOf(end.wait), metav1.Condition{
		Type: v1alpha1.ConditionConsumersReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonDeleting,
		Message: "the OrderFlow is being deleted: its consumers say themselves how they are",
	})
	condition.Set(&flow.Status.Conditions, flow.Generation, r.Now(), conditions...)
	if err := r.Applier.Status(ctx, before, flow); err != nil {
		return apply.Again(err)
	}
	condition.RecordReady(r.Recorder, flow, flow.Status.Conditions, condition.Changed(before.Status.Conditions, flow.Status.Conditions))
	return result.Reconcile(interval, end.wait)
}

// topicOf is TopicReady of a deleted flow: True while the brokers could be asked, else Unknown.
func topicOf(wait result.Result) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionTopicReady, Status: metav1.ConditionTrue, Reason: wait.Reason, Message: wait.Message}
	if wait.Reason != v1alpha1.ReasonMessagesUnconsumed {
		c.Status = metav1.ConditionUnknown
	}
	return c
}

func (r *Reconciler) sayGoodbye(ctx context.Context, flow *v1alpha1.OrderFlow) (farewell, error) {
	topic := flow.Spec.Topic
	claimed := flow.Status.Topic != nil && flow.Status.Topic.ClusterIdentity != ""
	if topic.DeletionPolicy != v1alpha1.DeletionDelete || !claimed {
		return farewell{}, nil
	}
	cluster, err := r.cluster(ctx, flow)
	if err != nil {
		return farewell{}, err
	}
	if cluster == nil { // it may have been deleted with the flow, in any order
		return leaveBehind(topic.Name, "MQCluster %s does not exist any more", flow.Spec.ClusterRef.Name), nil
	}
	reached := topology.Usable(cluster, flow.Spec.ClusterRef.Name)
	if reached.IsDone() {
		if cluster.Status.Identity != flow.Status.Topic.ClusterIdentity {
			return leaveBehind(topic.Name, "MQCluster %s is another RocketMQ cluster than the one on which the topic was made", cluster.Name), nil
		}
		owner, err := r.owner(ctx, flow, cluster)
		if err != nil {
			return farewell{}, err
		}
		if owner.UID != flow.UID {
			return leaveBehind(topic.Name, "OrderFlow %s declares it as well, and is older", owner.Object), nil
		}
		consumers, err := r.consumersOf(ctx, topic.Name, cluster)
		if err != nil {
			return farewell{}, err
		}
		reached = r.deleteTopic(ctx, cluster, topic, consumers)
	}
	switch {
	case reached.IsDone():
		return farewell{event: eventTopicDeleted, message: "topic " + topic.Name + " was deleted from all brokers"}, nil
	case reached.Reason != v1alpha1.ReasonMessagesUnconsumed &&
		patience.IsOver(flow.Status.Conditions, v1alpha1.ConditionTopicReady, flow.DeletionTimestamp.Time, r.Now()):
		return leaveBehind(topic.Name, "the cluster could not be asked for %v: %s", patience.Limit, reached.Message), nil
	}
	return farewell{wait: staying(reached)}, nil
}

func leaveBehind(topic, why string, args ...any) farewell {
	return farewell{event: eventTopicLeftBehind, message: "topic " + topic + " stays on the brokers: " + fmt.Sprintf(why, args...)}
}

// staying is the result with the way out: a flow that cannot go must say what lets it.
func staying(r result.Result) result.Result {
	if r.Reason != v1alpha1.ReasonMessagesUnconsumed {
		r.Message = fmt.Sprintf("the topic cannot be deleted yet, and after %v the OrderFlow goes without: %s", patience.Limit, r.Message)
	}
	r.Message += "; to let the OrderFlow go now and keep the topic, set spec.topic.deletionPolicy to Retain"
	return r.Again(lookAgain)
}

// deleteTopic deletes the topic from every master, if nobody misses a message in it. consumers are its MQConsumerGroups.
func (r *Reconciler) deleteTopic(ctx context.Context, cluster *v1alpha1.MQCluster, topic v1alpha1.TopicSpec, consumers map[string]*v1alpha1.MQConsumerGroup) result.Result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	admin, reached := r.Connector.Connect(ctx, cluster)
	if !reached.IsDone() {
		return reached
	}
	survey, reached := admin.Survey(ctx)
	if !reached.IsDone() {
		return reached
	}
	all, reached := count(ctx, admin, cluster, survey, topic.Name)
	if !reached.IsDone() {
		return reached
	}
	if r := all.check(topic, survey.Name, consumers); !r.IsDone() {
		return r
	}
	for _, master := range survey.Masters {
		if err := admin.DeleteTopic(ctx, master.Addr, topic.Name); err != nil {
			return topology.Explain(err, "deleting topic %s from broker %s", topic.Name, master.Name)
		}
		if b := readOne(ctx, admin, master, topic.Name); b.err != nil || b.found != nil {
			err := errors.Join(b.err, errors.New("it is not gone"))
			return topology.Explain(err, "making sure that topic %s is gone from broker %s", topic.Name, master.Name)
		}
	}
	if err := admin.DeleteRoute(ctx, topic.Name); err != nil {
		return topology.Explain(err, "making the name servers forget topic %s", topic.Name)
	}
	return result.Result{}
}
