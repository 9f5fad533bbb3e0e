// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"errors"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/lru"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/budget"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// lookAgain is how soon something is looked at again that changes without telling.
const lookAgain = 5 * time.Second

// check says what is in the way of pods, in an order in which each check may rely on those before it.
func check(seen *inputs) result.Result {
	return first(seen, clusterUsable, adaptersUsable, expressionsCompile, stepsSafe, nameFree, brokersReached, topicThere, topicReadable, enoughQueues, subscriptionServed, membersAgree)
}

// checkBroker says what of it is in the way of the group on the brokers, too.
func checkBroker(seen *inputs) result.Result {
	return first(seen, clusterUsable, nameFree, brokersReached, topicThere)
}

func first(seen *inputs, checks ...func(*inputs) result.Result) result.Result {
	for _, one := range checks {
		if r := one(seen); !r.IsDone() {
			return r
		}
	}
	return result.Result{}
}

func clusterUsable(seen *inputs) result.Result {
	return topology.Usable(seen.cluster, seen.group.Spec.ClusterRef.Name)
}

// adaptersUsable: an adapter that is Stalled has a Secret missing or an expression wrong, and pods that mount it would not start or not call.
func adaptersUsable(seen *inputs) result.Result {
	for _, step := range seen.group.Spec.Handler.Steps() {
		adapter := seen.adapters[step.Adapter]
		if adapter == nil {
			return result.Stall(v1alpha1.ReasonAdapterNotFound, "%s.adapterRef names ThirdPartyAdapter %q, which does not exist in this namespace: create it, or correct the name",
				step.Field, step.Adapter)
		}
		conditions := adapter.Status.Conditions
		switch {
		case adapter.Status.ObservedGeneration != adapter.Generation:
			return result.Wait(v1alpha1.ReasonAdapterNotReady, lookAgain, "waiting for ThirdPartyAdapter %s to be looked at", step.Adapter)
		case condition.Is(conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue):
			return result.Stall(v1alpha1.ReasonAdapterNotReady, "ThirdPartyAdapter %s is stalled: %s", step.Adapter, condition.Describe(conditions, v1alpha1.ConditionStalled))
		}
	}
	return result.Result{}
}

func expressionsCompile(seen *inputs) result.Result {
	return compile(seen.verdicts, structure(seen).Expressions())
}

// compile says which expression does not compile. It takes a good part of a millisecond, and at each look the same are asked for: so verdicts remember what came of it.
func compile(verdicts *lru.Cache, list []worker.Expression) result.Result {
	for _, e := range list {
		known, is := verdicts.Get(e)
		if !is {
			_, known = expression.Compile(e)
			verdicts.Add(e, known)
		}
		if err, _ := known.(error); err != nil {
			return result.Stall(v1alpha1.ReasonInvalidExpression, "%v", err)
		}
	}
	return result.Result{}
}

// stepsSafe: a retry begins at the first step, so every step but the last may be sent again after it had its effect.
func stepsSafe(seen *inputs) result.Result {
	steps := seen.group.Spec.Handler.Steps()
	for _, step := range steps[:max(len(steps)-1, 0)] {
		if contract := seen.adapters[step.Adapter].Spec.Idempotency; contract.Keys != v1alpha1.KeyHonoured && contract.StatusQuery == nil {
			return result.Stall(v1alpha1.ReasonUnsafeSteps,
				"%s is not the last step and calls ThirdPartyAdapter %s, which ignores idempotency keys: a retry would repeat its effect; make it the last step, give the adapter an idempotency.statusQuery, or the step a consumer of its own",
				step.Field, step.Adapter)
		}
	}
	return result.Result{}
}

func nameFree(seen *inputs) result.Result {
	if owner := claim.Winner(seen.claims); owner.UID != seen.group.UID {
		return result.Stall(v1alpha1.ReasonConflict, "group %s on this RocketMQ cluster belongs to MQConsumerGroup %s, which is older: delete one of the two, and create this one anew with another group if both are wanted",
			seen.group.Spec.Group, owner.Object).Again(lookAgain)
	}
	return result.Result{}
}

func brokersReached(seen *inputs) result.Result { return seen.reached }

func topicThere(seen *inputs) result.Result {
	switch {
	case len(seen.broker.topic) > 0:
	case makesTopic(seen.flow):
		return result.Wait(v1alpha1.ReasonProgressing, lookAgain, "waiting for OrderFlow %s to make topic %s", seen.flow.Name, seen.group.Spec.Topic)
	default:
		return result.Stall(v1alpha1.ReasonTopicNotFound, "topic %s does not exist on any broker of cluster %s: create an OrderFlow that declares it; if the name is wrong, delete this object and create it anew",
			seen.group.Spec.Topic, seen.group.Spec.ClusterRef.Name).Again(lookAgain)
	}
	return result.Result{}
}

// makesTopic reports whether an OrderFlow, nil if there is none, is about to make its topic. One that has made it once has not seen that it is gone.
func makesTopic(flow *v1alpha1.OrderFlow) bool {
	if flow == nil || !flow.DeletionTimestamp.IsZero() {
		return false
	}
	topic := meta.FindStatusCondition(flow.Status.Conditions, v1alpha1.ConditionTopicReady)
	if topic == nil {
		return true
	}
	switch topic.Reason {
	case v1alpha1.ReasonConflict, v1alpha1.ReasonNameReserved, v1alpha1.ReasonAlreadyExists, v1alpha1.ReasonTopicMismatch:
		return false
	}
	return topic.Status != metav1.ConditionTrue
}

// topicReadable: of a topic that may not be read no pod has a queue.
func topicReadable(seen *inputs) result.Result {
	if closed(seen) {
		return result.Stall(v1alpha1.ReasonTopicNotReadable, "nobody consumes topic %s, as OrderFlow %s gives it the permission Write: its messages wait in the broker; to let them be handled set spec.topic.permission there to ReadWrite, or to Read",
			seen.group.Spec.Topic, seen.flow.Name).Again(lookAgain)
	}
	return result.Result{}
}

// closed reports whether the topic's flow lets nobody consume.
func closed(seen *inputs) bool {
	return seen.flow != nil && seen.flow.Spec.Topic.Permission == v1alpha1.TopicWrite
}

func enoughQueues(seen *inputs) result.Result {
	pods, queues := budget.MaxPods(&seen.group.Spec.ConsumerTemplate), seen.broker.queues()
	if pods <= queues || broadcasts(seen.group) {
		return result.Result{}
	}
	field := "replicas"
	if seen.group.Spec.Scaling != nil {
		field = "scaling.maxReplicas"
	}
	return result.Stall(v1alpha1.ReasonTooFewQueues, "%s is %d, but topic %s has %d queues and a pod without a queue is idle: lower %s, or raise queuesPerBroker of the topic",
		field, pods, seen.group.Spec.Topic, queues, field).Again(interval)
}

// subscriptionServed: a member whose subscription its broker does not serve gets nothing, and nobody tells it why.
func subscriptionServed(seen *inputs) result.Result {
	for _, m := range seen.broker.masters {
		err := seen.broker.refusals[m.Name]
		switch {
		case errors.Is(err, rocketmq.ErrNoFilter):
			return result.Stall(v1alpha1.ReasonFilterDisabled,
				"subscription.type is SQL92, but broker %s does not filter by properties: set enablePropertyFilter=true in its configuration and restart it, or use type Tag, or filter in the handler with whenExpression", m.Name).Again(interval)
		case errors.Is(err, rocketmq.ErrExpression):
			return result.Stall(v1alpha1.ReasonInvalidSubscription, "broker %s cannot read subscription.sql92.expression: correct it; it says %v", m.Name, err).Again(interval)
		}
	}
	return result.Result{}
}

// maxGenerateName is where Kubernetes cuts the names of ReplicaSets before it makes names of pods of them.
const maxGenerateName = 58

// foreign are the members that are no pods of this group.
func foreign(seen *inputs) []string {
	prefix := seen.group.Name + "-"
	prefix = prefix[:min(len(prefix), maxGenerateName)]
	var ids []string
	for _, id := range seen.broker.members {
		namespace, pod, ok := worker.PodOfClientID(id)
		if !ok || namespace != seen.group.Namespace || !strings.HasPrefix(pod, prefix) {
			ids = append(ids, id)
		}
	}
	return ids
}
