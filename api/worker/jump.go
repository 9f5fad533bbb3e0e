// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import "time"

// JumpCause is why a position jumped.
type JumpCause string

// The causes.
const (
	// JumpDeleted: the broker deleted messages before they were read.
	JumpDeleted JumpCause = "MessagesDeleted"
	// JumpBeyondEnd: the position lay beyond the queue's end, which was made anew or has lost its end.
	JumpBeyondEnd JumpCause = "BeyondEnd"
	// JumpReset: an administrator moved it.
	JumpReset JumpCause = "Reset"
)

// MaxJumps bounds SyncResponse.Jumps.
const MaxJumps = 64

// Jump is a move of the group's position in a queue other than by reading.
type Jump struct {
	// Queue is topic@broker#id.
	Queue string    `json:"queue"`
	Cause JumpCause `json:"cause"`
	// From and To are offsets. Where messages were deleted, To - From of them were not read.
	From int64     `json:"from"`
	To   int64     `json:"to"`
	Time time.Time `json:"time"`
}
