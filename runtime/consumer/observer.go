// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Observer is told what the consumer does. Calls come from many goroutines and must return at once; some are made with a lock held, so that an observer
// must not call the consumer back. Embed Unobserved to implement a part of it.
type Observer interface {
	// Pulled: a pull was answered, with so many messages.
	Pulled(status rocketmq.PullStatus, messages int)
	// PullFailed: a pull was refused or not answered; it is tried again.
	PullFailed(err error)
	// Finished: a message's outcome was acted upon.
	Finished(kind outcome.Kind, reason outcome.Reason)
	// Committed: an offset moved; messages is how many were finished since the last commit.
	Committed(messages int)
	// CommitFailed: an offset was not taken; it is tried again.
	CommitFailed(err error)
	// QueueGained and QueueReleased: ownership moved. QueueLost: it was taken from us, or fell away, and what was finished but not committed comes again.
	QueueGained(queue rocketmq.Queue)
	QueueReleased(queue rocketmq.Queue, took time.Duration)
	QueueLost(queue rocketmq.Queue)
	// Parked: handing out stopped; Probing: one message is handed out; Resumed: everything flows again.
	Parked(reason outcome.Reason)
	Probing()
	Resumed(after time.Duration)
	// Dropped: a Broadcasting consumer gave a message up; Finished is told too.
	Dropped(reason outcome.Reason)
	// Jumped: the position in a queue moved other than by reading.
	Jumped(jump Jump)
	// OffsetMissing: the queue has no committed offset and is held until it has one; told again at each look.
	OffsetMissing(queue rocketmq.Queue)
	// OrderViolated: messages came whose order key was seen last in another queue.
	OrderViolated(messages int)
	// SendBackFailed and DeadLetterFailed: the broker did not take a message; it is tried again.
	SendBackFailed(err error)
	DeadLetterFailed(err error)
}

// Unobserved is an Observer that nobody listens to.
type Unobserved struct{}

var _ Observer = Unobserved{}

func (Unobserved) Pulled(rocketmq.PullStatus, int)             {}
func (Unobserved) PullFailed(error)                            {}
func (Unobserved) Finished(outcome.Kind, outcome.Reason)       {}
func (Unobserved) Committed(int)                               {}
func (Unobserved) CommitFailed(error)                          {}
func (Unobserved) QueueGained(rocketmq.Queue)                  {}
func (Unobserved) QueueReleased(rocketmq.Queue, time.Duration) {}
func (Unobserved) QueueLost(rocketmq.Queue)                    {}
func (Unobserved) Parked(outcome.Reason)                       {}
func (Unobserved) Probing()                                    {}
func (Unobserved) Resumed(time.Duration)                       {}
func (Unobserved) Jumped(Jump)                                 {}
func (Unobserved) Dropped(outcome.Reason)                      {}
func (Unobserved) OffsetMissing(rocketmq.Queue)                {}
func (Unobserved) OrderViolated(int)                           {}
func (Unobserved) SendBackFailed(error)                        {}
func (Unobserved) DeadLetterFailed(error)                      {}
