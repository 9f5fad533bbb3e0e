// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package outcome is the one word in which everything that happened to a message comes back: from a third party through adapter, handler
// and delivery to the consumer, which acts on it at the broker.
//
//	Done     the effect is confirmed: the offset may pass
//	Retry    a failure that may pass: the message goes back to the broker and comes again, one attempt more
//	Dead     it will never succeed: written to the dead letters with its reason, then the offset may pass
//	Expired  too old to be of use: written to the dead letters in the same way
//	Park     nothing was tried: the message stays where it is, no attempt is counted, and nothing else is handed out until Resume is closed
//
// The zero Outcome is invalid, so that a forgotten return can never pass for Done.
package outcome

import "time"

// Kind is what is to be done with a message.
type Kind int

// The kinds. The zero Kind is none of them.
const (
	Done Kind = iota + 1
	Retry
	Dead
	Expired
	Park
)

// String is the kind's label in metrics and logs.
func (k Kind) String() string {
	switch k {
	case Done:
		return "done"
	case Retry:
		return "retry"
	case Dead:
		return "dead"
	case Expired:
		return "expired"
	case Park:
		return "park"
	}
	return "invalid"
}

// Reason is a CamelCase word from a small fixed set: a metric label, and the reason of a dead letter.
type Reason string

// Outcome is what happened to a message. Make one with Succeed, RetryLater, Kill, Spare, Expire or ParkUntil.
type Outcome struct {
	Kind Kind
	// Reason is set for every kind but Done; there it may name why nothing had to be done.
	Reason Reason
	// Detail says more, without any data of the order: a status, an error's class. It goes to dead letters and logs.
	Detail string
	// After is the least delay until the next attempt. 0: the plan decides. For Retry.
	After time.Duration
	// Resume is closed when handing out may begin again. For Park, never nil there.
	Resume <-chan struct{}
	// Uncalled: no third party had a say, so that this tells nothing of whether one works.
	Uncalled bool
	// MaybeMade: a request was made whose fate nobody knows, to be asked about before it is made again, where that is possible. For Park: what is sent back
	// the broker counts.
	MaybeMade bool
}

// Succeed is Done.
func Succeed() Outcome { return Outcome{Kind: Done} }

// RetryLater is Retry, no earlier than after.
func RetryLater(after time.Duration, reason Reason, detail string) Outcome {
	return Outcome{Kind: Retry, After: after, Reason: reason, Detail: detail}
}

// Kill is Dead.
func Kill(reason Reason, detail string) Outcome {
	return Outcome{Kind: Dead, Reason: reason, Detail: detail}
}

// Spare is Dead without anybody having been called.
func Spare(reason Reason, detail string) Outcome {
	return Outcome{Kind: Dead, Reason: reason, Detail: detail, Uncalled: true}
}

// Expire is Expired.
func Expire(reason Reason, detail string) Outcome {
	return Outcome{Kind: Expired, Reason: reason, Detail: detail}
}

// ParkUntil is Park until resume is closed.
func ParkUntil(resume <-chan struct{}, reason Reason, detail string) Outcome {
	return Outcome{Kind: Park, Resume: resume, Reason: reason, Detail: detail}
}
