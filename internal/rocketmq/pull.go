// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// PullRequest asks one broker for messages of one queue.
type PullRequest struct {
	Group  string
	Queue  Queue
	Offset int64 // of the first message wanted
	// MaxMessages per pull. A broker returns at most its
	// maxTransferCountOnMessageInMemory, 32 by default, whatever is asked.
	MaxMessages int
	// Wait is how long the broker holds the request while there is no message.
	// 0 asks for an answer at once. Give the context a few seconds more.
	Wait time.Duration
	// Subscription filters; its topic is the queue's.
	Subscription Subscription
}

// PullStatus is the outcome of a pull that the broker answered.
type PullStatus int

// The four outcomes, by the names RocketMQ's clients use.
const (
	// Found: there are messages.
	Found PullStatus = iota + 1
	// NoNewMessage: the queue has none at or after the offset; pull again.
	NoNewMessage
	// NoMatchedMessage: all that was looked at is filtered out; go on at Next.
	NoMatchedMessage
	// OffsetIllegal: the offset is below the minimum or beyond the maximum, and
	// Next is the nearest legal one; or an administrator reset the group, and Next
	// is where to (said once; what is committed says so too). Messages were lost to
	// the group if the minimum moved up past the offset.
	OffsetIllegal
)

// String returns the name used in metrics and logs.
func (s PullStatus) String() string {
	switch s {
	case Found:
		return "FOUND"
	case NoNewMessage:
		return "NO_NEW_MSG"
	case NoMatchedMessage:
		return "NO_MATCHED_MSG"
	case OffsetIllegal:
		return "OFFSET_ILLEGAL"
	}
	return "UNKNOWN"
}

var pullStatuses = map[Code]PullStatus{
	CodeOK:           Found,
	CodePullNotFound: NoNewMessage,
	CodePullRetry:    NoMatchedMessage,
	CodeOffsetMoved:  OffsetIllegal,
}

// PullResult is the broker's answer to a pull.
type PullResult struct {
	Status   PullStatus
	Messages []Message // in the order of their offsets; look at each one's Err
	Next     int64     // where to pull next
	Min, Max int64     // the queue's offsets [Min, Max)
	// Deleted, with NoMatchedMessage: what was looked at is not there any more.
	Deleted bool
	// SuggestedBroker is the id of the broker to pull from next, 0 the master.
	SuggestedBroker int64
}

// The bits of a pull's sysFlag. The bit that commits (1) is not used: pulls and
// commits run in different threads of the broker, so that a commit carried by a
// late pull could overwrite the last one of a hand-over.
const (
	pullSuspend      = 2
	pullSubscription = 4
)

// Pull asks for messages. The four statuses are no errors. Errors are
// [ErrNotFound] (no such topic or group), [ErrRefused] with
// [CodeInvalidParameter] (no such queue), and the rest of the vocabulary.
//
// Tags are filtered by hash at the broker: a tag of the same hash comes through.
func (c *Client) Pull(ctx context.Context, addr string, p PullRequest) (PullResult, error) {
	flag := pullSubscription
	if p.Wait > 0 {
		flag |= pullSuspend
	}
	r, err := c.Do(ctx, addr, OpPull, Fields{
		{"consumerGroup", p.Group},
		{"topic", p.Queue.Topic},
		{"queueId", itoa(p.Queue.ID)},
		{"queueOffset", itoa64(p.Offset)},
		{"maxMsgNums", itoa(p.MaxMessages)},
		{"sysFlag", itoa(flag)},
		{"commitOffset", "0"},
		{"suspendTimeoutMillis", itoa64(p.Wait.Milliseconds())},
		{"subscription", p.Subscription.expression()},
		{"subVersion", itoa64(p.Subscription.Version)},
		{"expressionType", string(p.Subscription.expressionType())},
		{"bname", p.Queue.Broker},
	}, nil)
	if r == nil {
		return PullResult{}, err
	}
	status, known := pullStatuses[Code(r.Code)]
	if !known {
		return PullResult{}, err
	}
	result, err := c.pulled(p, status, r)
	if err != nil {
		return PullResult{}, fmt.Errorf("read the reply to %v of %s: %w", OpPull, addr, err)
	}
	return result, nil
}

// wasDeleted is what a broker remarks of a pull that found nothing but messages whose file it has deleted.
const wasDeleted = "MESSAGE_WAS_REMOVING"

func (c *Client) pulled(p PullRequest, status PullStatus, r *Command) (PullResult, error) {
	result := PullResult{Status: status, Deleted: status == NoMatchedMessage && r.Remark == wasDeleted}
	for _, f := range []struct {
		name string
		to   *int64
	}{
		{"nextBeginOffset", &result.Next},
		{"minOffset", &result.Min},
		{"maxOffset", &result.Max},
		{"suggestWhichBrokerId", &result.SuggestedBroker},
	} {
		n, err := r.field64(f.name)
		if err != nil {
			return PullResult{}, err
		}
		*f.to = n
	}
	if status != Found {
		return result, nil
	}
	messages, rest := c.decoder.Decode(r.Body, p.Queue, p.Offset)
	if len(rest) > 0 {
		messages, result.Next = cut(messages, rest, p, result.Next)
	}
	result.Messages = messages
	return result, nil
}

// cut makes the result of a pull end before rest, so that the next one begins
// there. If rest is all there is, its message boundaries are wrong: it becomes
// one undecodable message, and the next pull begins behind it.
func cut(messages []Message, rest []byte, p PullRequest, next int64) ([]Message, int64) {
	if n := len(messages); n > 0 {
		return messages, messages[n-1].Offset + 1
	}
	m := Message{Topic: p.Queue.Topic, Queue: p.Queue, Offset: p.Offset, Err: errBoundary, Raw: rest}
	if len(rest) >= sysFlagAt {
		if at := int64(binary.BigEndian.Uint64(rest[offsetAt:])); at >= p.Offset && at < next {
			m.Offset = at
		}
	}
	return []Message{m}, m.Offset + 1
}

// AdminGroup is a group that every broker has, and nobody is a member of. What is
// read in its name leaves no trace: a pull in the name of a group would take
// away what an administrator who reset that group has to say to its members.
const AdminGroup = "TOOLS_CONSUMER"

// Peek reads the message at an offset, or the first after it that the broker
// still has, and disturbs no group. [ErrNotFound]: there is none.
func (c *Client) Peek(ctx context.Context, addr string, q Queue, offset int64) (Message, error) {
	for range 2 { // the second time where the first tells of a higher minimum
		r, err := c.Pull(ctx, addr, PullRequest{Group: AdminGroup, Queue: q, Offset: offset, MaxMessages: 1})
		if err != nil {
			return Message{}, err
		}
		if r.Status == Found {
			return r.Messages[0], nil
		}
		if r.Next <= offset {
			break
		}
		offset = r.Next
	}
	return Message{}, fmt.Errorf("read offset %d of queue %s at %s: %w", offset, q, addr, ErrNotFound)
}

// IsRetry reports whether the topic holds a group's messages that wait for
// another attempt.
func IsRetry(topic string) bool { return strings.HasPrefix(topic, retryPrefix) }

// IsDeadLetter reports whether the topic holds a group's messages that were given up.
func IsDeadLetter(topic string) bool { return strings.HasPrefix(topic, deadLetterPrefix) }
