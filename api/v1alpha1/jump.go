// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AcknowledgeLossAnnotation, on an MQConsumerGroup, is the value of status.jumps.messagesLost that somebody has taken note of. Until more are lost, what was lost
// keeps the group from being Ready no longer.
const AcknowledgeLossAnnotation = "orderflow.dev/acknowledge-loss"

// JumpCause is why a position moved other than by reading.
// +kubebuilder:validation:Enum=MessagesDeleted;BeyondEnd;Reset
type JumpCause string

const (
	// JumpDeleted: the broker deleted messages before the group had read them.
	JumpDeleted JumpCause = "MessagesDeleted"
	// JumpBeyondEnd: the position lay beyond the end of the queue, which was made anew or has lost messages; the group goes on at the end.
	JumpBeyondEnd JumpCause = "BeyondEnd"
	// JumpReset: an administrator moved it.
	JumpReset JumpCause = "Reset"
)

// Jump is a move of the group's position in a queue other than by reading.
type Jump struct {
	// queue is topic@broker#id.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Queue string `json:"queue,omitempty"`
	// cause is MessagesDeleted, BeyondEnd or Reset.
	// +required
	Cause JumpCause `json:"cause,omitempty"`
	// from is the offset at which the group was.
	// +required
	From int64 `json:"from"`
	// to is the offset at which it went on. Of cause MessagesDeleted, to - from messages were not read.
	// +required
	To int64 `json:"to"`
	// pod that saw it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod,omitempty"`
	// time by the pod's clock.
	// +required
	Time metav1.Time `json:"time,omitzero"`
}

// PodJumps is how much of what a pod reported is counted.
type PodJumps struct {
	// pod is its name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod,omitempty"`
	// startTime of its process; the next one counts from 0.
	// +required
	StartTime metav1.Time `json:"startTime,omitzero"`
	// jumps of it.
	// +required
	// +kubebuilder:validation:Minimum=0
	Jumps int64 `json:"jumps"`
	// messagesLost by them.
	// +required
	// +kubebuilder:validation:Minimum=0
	MessagesLost int64 `json:"messagesLost"`
}

// Jumps are the moves of the group's positions other than by reading.
type Jumps struct {
	// messagesLost is how many messages brokers deleted before the group had read them, ever; where the subscription selects, those it would have left out too.
	// They keep the group from being Ready until the annotation orderflow.dev/acknowledge-loss has this value.
	// +required
	// +kubebuilder:validation:Minimum=0
	MessagesLost int64 `json:"messagesLost"`
	// last are the latest, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Last []Jump `json:"last,omitempty"`
	// pods whose reports are counted.
	// +optional
	// +listType=map
	// +listMapKey=pod
	// +kubebuilder:validation:MaxItems=2000
	Pods []PodJumps `json:"pods,omitempty"`
}
