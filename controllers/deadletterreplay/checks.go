// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
)

// check says what is in the way of the next batch, the most lasting first.
func check(seen *inputs) result.Result {
	spec := &seen.replay.Spec
	switch {
	case seen.invalid != nil:
		return result.Stall(v1alpha1.ReasonInvalidExpression, "%v: create another DeadLetterReplay with a correct one", seen.invalid)
	case seen.group == nil:
		return result.Stall(v1alpha1.ReasonGroupNotFound, "groupRef names MQConsumerGroup %q, which does not exist in this namespace; those of an OrderFlow are named flow-consumer", spec.GroupRef.Name).Again(interval)
	case seen.missing != "":
		return result.Stall(v1alpha1.ReasonAdapterNotFound, "the group refers to ThirdPartyAdapter %q, which does not exist: without its idempotency contract nothing is given back", seen.missing).Again(interval)
	case seen.lost != nil:
		return recordLost(seen.lost)
	}
	if usable := topology.Usable(seen.cluster, seen.group.Spec.ClusterRef.Name); !usable.IsDone() {
		return usable
	}
	if !condition.Is(seen.group.Status.Conditions, v1alpha1.ConditionBrokerReady, metav1.ConditionTrue) {
		return result.Wait(v1alpha1.ReasonGroupNotReady, lookAgain, "MQConsumerGroup %s is not on the brokers as it should be: see its condition BrokerReady", seen.group.Name)
	}
	if spec.Suspend != nil && *spec.Suspend {
		return result.Wait(v1alpha1.ReasonReplaySuspended, interval, "spec.suspend is true: nothing is given back until it is not")
	}
	if seen.ahead != "" {
		return result.Wait(v1alpha1.ReasonReplayQueued, lookAgain, "DeadLetterReplay %s of the same group is older and not done: this one begins when it is, or was deleted", seen.ahead)
	}
	return circuitClosed(seen)
}

// recordLost: lost says what of a record is.
func recordLost(lost error) result.Result {
	return result.Stall(v1alpha1.ReasonRecordLost, "what became of dead letters is not known any more: %v. Nothing is given back, for it might be twice. The dead letters are still at the broker: put the ConfigMap back; or delete this one, and create another, which may give back again what this one did, with alreadyReplayed: Repeat where no earlier one can tell", lost).Again(interval)
}

// circuitClosed: what is given back to a group whose third party is down only waits there, and what its circuit is nobody can say holds it back as well.
func circuitClosed(seen *inputs) result.Result {
	if seen.replay.Spec.Mode == v1alpha1.ReplayModeDryRun {
		return result.Result{}
	}
	if seen.unheard {
		return result.Wait(v1alpha1.ReasonReplayPaused, lookAgain, "the pods of MQConsumerGroup %s were not asked yet since the operator began: nothing is given back until its third parties are known to work; it goes on by itself", seen.group.Name)
	}
	if circuit := seen.group.Status.Circuit; circuit != v1alpha1.CircuitClosed {
		return result.Wait(v1alpha1.ReasonReplayPaused, lookAgain, "the circuit of MQConsumerGroup %s is %s: nothing is given back until its third parties are known to work; it goes on by itself", seen.group.Name, circuitName(circuit))
	}
	if condition.Is(seen.group.Status.Conditions, v1alpha1.ConditionParked, metav1.ConditionTrue) {
		return result.Wait(v1alpha1.ReasonReplayPaused, lookAgain, "MQConsumerGroup %s hands out no messages: %s; it goes on by itself", seen.group.Name,
			condition.Describe(seen.group.Status.Conditions, v1alpha1.ConditionParked))
	}
	return result.Result{}
}

func circuitName(c v1alpha1.CircuitState) v1alpha1.CircuitState {
	if c == "" {
		return v1alpha1.CircuitUnknown
	}
	return c
}
