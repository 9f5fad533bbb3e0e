// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MQConsumerGroupSpec is one consumer of one topic.
// +kubebuilder:validation:XValidation:rule="self.clusterRef == oldSelf.clusterRef",message="clusterRef cannot change: create a second MQConsumerGroup on the other cluster and let the old one run empty"
// +kubebuilder:validation:XValidation:rule="self.topic == oldSelf.topic",message="topic cannot change: offsets of the old topic would be left behind; create a second MQConsumerGroup"
type MQConsumerGroupSpec struct {
	// clusterRef names the MQCluster the topic lives on.
	// +required
	ClusterRef LocalObjectReference `json:"clusterRef,omitzero"`

	// topic that is consumed. It has to exist: an OrderFlow, or somebody else, creates it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="a topic name consists of letters, digits, '_' and '-'"
	Topic string `json:"topic,omitempty"`

	ConsumerTemplate `json:",inline"`
}

// ScalingBound names what held the number of replicas where it is.
// +kubebuilder:validation:Enum=None;Fixed;Minimum;Maximum;Queues;RateUnknown;LagUnknown;StepLimit;RolloutInProgress;CircuitOpen;InFlight;Suspended
type ScalingBound string

const (
	// BoundNone means the number follows from lag and rate alone.
	BoundNone ScalingBound = "None"
	// BoundFixed means spec.replicas sets it.
	BoundFixed ScalingBound = "Fixed"
	// BoundMinimum means minReplicas holds it up.
	BoundMinimum ScalingBound = "Minimum"
	// BoundMaximum means maxReplicas holds it down.
	BoundMaximum ScalingBound = "Maximum"
	// BoundQueues means more pods than queues would be idle.
	BoundQueues ScalingBound = "Queues"
	// BoundRateUnknown means no rate per replica was seen yet, so the number is held.
	BoundRateUnknown ScalingBound = "RateUnknown"
	// BoundLagUnknown means the broker could not be asked, so the number is held.
	BoundLagUnknown ScalingBound = "LagUnknown"
	// BoundStepLimit means the last step is younger than 10 s.
	BoundStepLimit ScalingBound = "StepLimit"
	// BoundRolloutInProgress means the pods of the last step are not ready yet.
	BoundRolloutInProgress ScalingBound = "RolloutInProgress"
	// BoundCircuitOpen means the third party is down, where more pods cannot help.
	BoundCircuitOpen ScalingBound = "CircuitOpen"
	// BoundInFlight means the last pod still handles messages, or did not say whether it does.
	BoundInFlight ScalingBound = "InFlight"
	// BoundSuspended means the group is suspended, where more pods would handle nothing.
	BoundSuspended ScalingBound = "Suspended"
)

// ScalingStatus is the last scaling decision and what it was made of.
type ScalingStatus struct {
	// desiredReplicas is the decision.
	// +optional
	// +kubebuilder:validation:Minimum=0
	DesiredReplicas int32 `json:"desiredReplicas"`
	// bound names what held it.
	// +optional
	Bound ScalingBound `json:"bound,omitempty"`
	// message is the decision in words, with its numbers.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// lastScaleTime is when the number last changed.
	// +optional
	LastScaleTime *metav1.Time `json:"lastScaleTime,omitempty"`
}

// AdapterUse is what the pods report of one third party.
type AdapterUse struct {
	// name of the ThirdPartyAdapter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// circuit is Open if it is open in any pod, else HalfOpen if it is so in any, else Closed; Unknown if no pod answered.
	// +optional
	Circuit CircuitState `json:"circuit,omitempty"`
	// prober is the pod, of this group or another, that looks for the third party's return while all others wait for it. Unset: each pod goes by itself.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Prober string `json:"prober,omitempty"`
	// proberSince is when its turn began; it goes round every half minute among pods that have a message.
	// +optional
	ProberSince *metav1.Time `json:"proberSince,omitempty"`
}

// SameCircuits reports whether both are of the same adapters with the same circuits, whoever probes.
func SameCircuits(a, b []AdapterUse) bool {
	return slices.EqualFunc(a, b, func(a, b AdapterUse) bool { return a.Name == b.Name && a.Circuit == b.Circuit })
}

// CircuitsTurned reports whether they differ by more than that nobody knew, or knows, of a circuit that is closed.
func CircuitsTurned(a, b []AdapterUse) bool {
	known := func(uses []AdapterUse) []AdapterUse {
		uses = slices.Clone(uses)
		for i := range uses {
			if uses[i].Circuit == CircuitUnknown || uses[i].Circuit == "" {
				uses[i].Circuit = CircuitClosed
			}
		}
		return uses
	}
	return !SameCircuits(known(a), known(b))
}

// RetryPlanEnd names what ends a retry plan.
// +kubebuilder:validation:Enum=MaxAttempts;MaxDuration
type RetryPlanEnd string

const (
	// EndMaxAttempts means every attempt of spec.retry.maxAttempts is made.
	EndMaxAttempts RetryPlanEnd = "MaxAttempts"
	// EndMaxDuration means one more delay would be more than spec.retry.maxDuration.
	EndMaxDuration RetryPlanEnd = "MaxDuration"
)

// RetryPlanStatus is when a message that keeps failing is tried again, and when no more.
type RetryPlanStatus struct {
	// attempts is how often a message is tried, the first time included. When the last has failed it is a dead letter.
	// +required
	// +kubebuilder:validation:Minimum=1
	Attempts int32 `json:"attempts,omitempty"`
	// endedBy is MaxAttempts, or MaxDuration where that cuts the plan.
	// +required
	EndedBy RetryPlanEnd `json:"endedBy,omitempty"`
	// delays are how long a message waits in the broker after each attempt but the last, as the broker's delay levels make them; longer where
	// the third party asked for it (Retry-After). Unset: there is one attempt, or message says why they are not known.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Type=string
	// +kubebuilder:validation:items:MaxLength=32
	Delays []metav1.Duration `json:"delays,omitempty"`
	// duration is what the delays add up to. Unset: they are not known.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Duration *metav1.Duration `json:"duration,omitempty"`
	// message is the plan in words.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// SuspensionStatus is how far a suspended group has come.
type SuspensionStatus struct {
	// startTime is when the operator first saw that the group is suspended.
	// +required
	StartTime metav1.Time `json:"startTime,omitzero"`
	// settledTime is since when no pod has anything in flight: nothing is sent back for another attempt any more. Unset: something may be in flight.
	// +optional
	SettledTime *metav1.Time `json:"settledTime,omitempty"`
	// retriesUntil is when the last message of the group that waits in a delay level of a broker falls due, at the latest. Unset: none waits, or settledTime is not set.
	// +optional
	RetriesUntil *metav1.Time `json:"retriesUntil,omitempty"`
}

// StuckQueue is a queue in which a group does not get on.
type StuckQueue struct {
	// queue is topic@broker#id.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Queue string `json:"queue,omitempty"`
	// offset of the first message that is not finished.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Offset int64 `json:"offset"`
	// messageID is that message's id, as spec.skipMessageIDs takes it. Empty: it could not be read.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	MessageID string `json:"messageID,omitempty"`
	// storedTime is when the broker stored it.
	// +optional
	StoredTime *metav1.Time `json:"storedTime,omitempty"`
	// since is when it was first seen that this message is the next.
	// +required
	Since metav1.Time `json:"since,omitzero"`
}

// MQConsumerGroupStatus is what was last seen of the group, its pods and its lag.
type MQConsumerGroupStatus struct {
	// conditions are Ready, Reconciling, Stalled, BrokerReady, WorkloadReady, ConfigCurrent, ForeignConsumers, Parked, ThirdPartyDown,
	// OrderViolatedUpstream, QueueStuck, RetentionAtRisk, Scaling and, while the group is suspended, Drained;
	// the reasons are listed with the constants of this API.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=24
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// observedGeneration is the generation of the spec this status speaks of. -1: nobody has looked at the object yet.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the value of the annotation orderflow.dev/reconcile-at that was last acted upon.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// clusterIdentity is the identity of the physical cluster on which this object made or adopted the group.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ClusterIdentity string `json:"clusterIdentity,omitempty"`

	// seededTime is when every queue had its start offset for the first time. A queue that appears later begins with what was stored since.
	// +optional
	SeededTime *metav1.Time `json:"seededTime,omitempty"`

	// replicas is the number of pods; with readyReplicas and selector it serves the scale subresource.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`
	// readyReplicas is the number of ready pods.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas int32 `json:"readyReplicas"`
	// selector of the pods, as a string.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Selector string `json:"selector,omitempty"`

	// lag is the number of messages yet to be handled, retries included. Unset: unknown; with consume.model Broadcasting there is none. While it merely moves
	// it is written every 10 s; where more than 200 groups are busy at once, every 30 s.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Lag *int64 `json:"lag,omitempty"`
	// retryLag is the part of lag that has been tried before.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RetryLag *int64 `json:"retryLag,omitempty"`
	// deadLetters is the number of messages in the group's dead-letter topic.
	// +optional
	// +kubebuilder:validation:Minimum=0
	DeadLetters *int64 `json:"deadLetters,omitempty"`

	// oldestMessageTime is when the broker stored the oldest of the messages that make up lag. Unset: none has waited for a minute, or it is not known. It is
	// written when it has moved by a minute and by a tenth of the message's age.
	// +optional
	OldestMessageTime *metav1.Time `json:"oldestMessageTime,omitempty"`

	// stuckQueues are those that the condition QueueStuck speaks of, longest first, at most 16.
	// +optional
	// +listType=map
	// +listMapKey=queue
	// +kubebuilder:validation:MaxItems=16
	StuckQueues []StuckQueue `json:"stuckQueues,omitempty"`

	// skippedMessageIDs are those of spec.skipMessageIDs that a pod met and wrote to the dead letters. One that is missing here was not met since it was
	// declared: it waits in the broker, was done before, or there is no message of that id.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	SkippedMessageIDs []string `json:"skippedMessageIDs,omitempty"`

	// circuit is Open if that of any adapter is, else HalfOpen, else Unknown, else Closed.
	// +optional
	Circuit CircuitState `json:"circuit,omitempty"`

	// adapters are the third parties of the handler, as the pods see them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Adapters []AdapterUse `json:"adapters,omitempty"`

	// scaling is the last decision on the number of pods.
	// +optional
	Scaling *ScalingStatus `json:"scaling,omitempty"`

	// retryPlan is what spec.retry comes to: with the delay levels of the brokers or, with order Orderly, in place.
	// +optional
	RetryPlan *RetryPlanStatus `json:"retryPlan,omitempty"`

	// suspension is how far a suspended group has come. Unset: it is not suspended.
	// +optional
	Suspension *SuspensionStatus `json:"suspension,omitempty"`

	// jumps are the moves of the group's positions other than by reading. Unset: there were none.
	// +optional
	Jumps *Jumps `json:"jumps,omitempty"`

	// structureName is the immutable ConfigMap the pods run from.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	StructureName string `json:"structureName,omitempty"`
	// liveRevision is the revision of the limits and timeouts that pods should have loaded.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LiveRevision string `json:"liveRevision,omitempty"`

	// lastVerifiedTime is when the group was read back from all master brokers, as of the last change of anything else in the status. It is verified
	// again every few minutes; the operator's metric orderflow_verified_timestamp_seconds has the last time.
	// +optional
	LastVerifiedTime *metav1.Time `json:"lastVerifiedTime,omitempty"`
}

// MQConsumerGroup is one consumer group: what it consumes, what it does with a message, and the pods that do it. It owns the group with its
// retry and dead-letter topics on the broker, and the Deployment with all that belongs to it.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:scope=Namespaced,shortName=mqcg,categories=orderflow-dev
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Lag",type=integer,JSONPath=`.status.lag`
// +kubebuilder:printcolumn:name="Oldest",type=date,JSONPath=`.status.oldestMessageTime`
// +kubebuilder:printcolumn:name="Circuit",type=string,JSONPath=`.status.circuit`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Group",type=string,priority=1,JSONPath=`.spec.group`
// +kubebuilder:printcolumn:name="Dispatch",type=string,priority=1,JSONPath=`.spec.dispatch`
// +kubebuilder:printcolumn:name="Dead",type=integer,priority=1,JSONPath=`.status.deadLetters`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 61 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="the name of an MQConsumerGroup has at most 61 characters: lower-case letters, digits and '-'; it names Deployment and Service"
type MQConsumerGroup struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what is wanted.
	// +required
	Spec MQConsumerGroupSpec `json:"spec,omitzero"`
	// status is what was seen.
	// +optional
	// +default={"observedGeneration":-1}
	// +structType=atomic
	Status MQConsumerGroupStatus `json:"status,omitzero"`
}

// MQConsumerGroupList is a list of MQConsumerGroups.
// +kubebuilder:object:root=true
type MQConsumerGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []MQConsumerGroup `json:"items"`
}
