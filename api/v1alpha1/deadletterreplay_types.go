// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReplayMode says whether a replay sends anything.
// +kubebuilder:validation:Enum=Replay;DryRun
type ReplayMode string

const (
	// ReplayModeReplay gives dead letters back to their group.
	ReplayModeReplay ReplayMode = "Replay"
	// ReplayModeDryRun sends nothing and says what a replay would do with each.
	ReplayModeDryRun ReplayMode = "DryRun"
)

// ReplayedPolicy says what becomes of a dead letter whose message an earlier replay gave back.
// +kubebuilder:validation:Enum=Skip;Repeat
type ReplayedPolicy string

const (
	// ReplayedSkip leaves it where it is.
	ReplayedSkip ReplayedPolicy = "Skip"
	// ReplayedRepeat gives it back again.
	ReplayedRepeat ReplayedPolicy = "Repeat"
)

// DeadLetterReplaySpec says which dead letters go back. Only rate and suspend can change.
// +kubebuilder:validation:XValidation:rule="self.groupRef == oldSelf.groupRef && self.mode == oldSelf.mode && self.limit == oldSelf.limit && self.alreadyReplayed == oldSelf.alreadyReplayed && has(self.window) == has(oldSelf.window) && (!has(self.window) || self.window == oldSelf.window) && has(self.filter) == has(oldSelf.filter) && (!has(self.filter) || self.filter == oldSelf.filter)",message="a replay cannot change what it replays: only rate and suspend can; create another DeadLetterReplay"
type DeadLetterReplaySpec struct {
	// groupRef names the MQConsumerGroup whose dead letters go back: to this group alone, whoever else consumes the topic.
	// +required
	GroupRef LocalObjectReference `json:"groupRef,omitzero"`

	// mode is Replay, or DryRun to see first what would be done.
	// Default: Replay.
	// +optional
	// +default="Replay"
	Mode ReplayMode `json:"mode,omitempty"`

	// window selects by the time at which the broker stored the dead letter. Unset: all there are when the replay begins.
	// +optional
	Window *ReplayWindow `json:"window,omitempty"`

	// filter selects further. Unset: all of the window.
	// +optional
	Filter *ReplayFilter `json:"filter,omitempty"`

	// rate is the number of messages per second that are given back.
	// Default: 10.
	// +optional
	// +default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Rate int32 `json:"rate,omitempty"`

	// limit is the number of dead letters at which the replay ends although there are more: their outcomes are kept with the object.
	// Default: 5000.
	// +optional
	// +default=5000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5000
	Limit int32 `json:"limit,omitempty"`

	// alreadyReplayed says what becomes of a dead letter that was there already when an earlier DeadLetterReplay of the group began that gave its message
	// back: Skip, or Repeat, which may repeat its effect where the third party ignores keys. What died again after that is another dead letter, and is given back
	// in any case. Replays that were deleted are not known any more.
	// Default: Skip.
	// +optional
	// +default="Skip"
	AlreadyReplayed ReplayedPolicy `json:"alreadyReplayed,omitempty"`

	// suspend pauses the replay; it goes on where it was.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// ReplayWindow selects by the time at which the broker stored the dead letter. What is stored after the replay has begun is never part of it.
// +kubebuilder:validation:XValidation:rule="!has(self.from) || !has(self.to) || self.from < self.to",message="window.from lies before window.to"
type ReplayWindow struct {
	// from is the earliest time. Unset: the oldest there is.
	// +optional
	From *metav1.Time `json:"from,omitempty"`
	// to is the time before which it was stored. Unset: when the replay begins.
	// +optional
	To *metav1.Time `json:"to,omitempty"`
}

// ReplayFilter selects dead letters; what is given has to hold together.
type ReplayFilter struct {
	// reasons are those the dead letters have, for example RetriesExhausted. Unset: any.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Reasons []string `json:"reasons,omitempty"`
	// messageIDs are the ids of messages, as in the workers' logs. Unset: any.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	MessageIDs []string `json:"messageIDs,omitempty"`
	// whenExpression is a CEL expression, of type bool, over order and message, for example order.amount > 100. What the worker wrote into the dead letter is
	// in message.properties: ORDERFLOW_REASON, ORDERFLOW_DETAIL, ORDERFLOW_ATTEMPTS; message.attempt is how often it was tried.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	WhenExpression string `json:"whenExpression,omitempty"`
}

// ReplayQueue is how far a replay has read one queue of the dead letters.
type ReplayQueue struct {
	// broker that has the queue.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Broker string `json:"broker,omitempty"`
	// queue is its number.
	// +required
	// +kubebuilder:validation:Minimum=0
	Queue *int32 `json:"queue,omitempty"`
	// next is the offset of the dead letter to be looked at next.
	// +required
	// +kubebuilder:validation:Minimum=0
	Next *int64 `json:"next,omitempty"`
	// end is the offset at which the replay ends: the queue's when it began, or a lower one to which the queue fell back since.
	// +required
	// +kubebuilder:validation:Minimum=0
	End *int64 `json:"end,omitempty"`
	// gone is how many dead letters the broker deleted, by its retention or with their topic, before the replay looked at them.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Gone int64 `json:"gone,omitempty"`
}

// ReplayOutcome counts the dead letters that had one outcome.
type ReplayOutcome struct {
	// reason is why they were not given back.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// count is how many there are.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int64 `json:"count,omitempty"`
}

// DeadLetterReplayStatus is how far the replay is. It is done when matched = resent + skipped and every queue was read to its end.
type DeadLetterReplayStatus struct {
	// conditions are Ready, Reconciling and Stalled; Ready is True when the replay is done.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// observedGeneration is the generation of the spec this status speaks of. -1: nobody has looked at the object yet.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the value of the annotation orderflow.dev/reconcile-at that was last acted upon.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// startTime is when the ends of the queues were noted.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// completionTime is when it was done.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// queues are those of the dead letters.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Queues []ReplayQueue `json:"queues,omitempty"`

	// matched is the number of dead letters that window and filter select, of those looked at.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Matched *int64 `json:"matched,omitempty"`
	// resent is how many of them were given back to the group.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Resent *int64 `json:"resent,omitempty"`
	// skipped is how many of them were not, with a reason.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Skipped *int64 `json:"skipped,omitempty"`
	// skippedReasons say why: Duplicate, AlreadyReplayed, IdempotencyWindowPassed, FateUnknown, Unreadable, TooLarge or DryRun.
	// +optional
	// +listType=map
	// +listMapKey=reason
	// +kubebuilder:validation:MaxItems=16
	SkippedReasons []ReplayOutcome `json:"skippedReasons,omitempty"`
}

// DeadLetterReplay gives dead letters back to their group, once. What became of each is in the ConfigMaps with the label orderflow.dev/replay, which go
// with it.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=dlr,categories=orderflow-dev
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Group",type=string,JSONPath=`.spec.groupRef.name`
// +kubebuilder:printcolumn:name="Matched",type=integer,JSONPath=`.status.matched`
// +kubebuilder:printcolumn:name="Resent",type=integer,JSONPath=`.status.resent`
// +kubebuilder:printcolumn:name="Skipped",type=integer,JSONPath=`.status.skipped`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name of a DeadLetterReplay has at most 63 characters: it is the label of what it keeps"
type DeadLetterReplay struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what is wanted.
	// +required
	Spec DeadLetterReplaySpec `json:"spec,omitzero"`
	// status is how far it is.
	// +optional
	// +default={"observedGeneration":-1}
	// +structType=atomic
	Status DeadLetterReplayStatus `json:"status,omitzero"`
}

// DeadLetterReplayList is a list of DeadLetterReplays.
// +kubebuilder:object:root=true
type DeadLetterReplayList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []DeadLetterReplay `json:"items"`
}
