// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	rmqerrors "github.com/apache/rocketmq-client-go/v2/errors"
)

var (
	// ErrNotReady means that the topic was not located on the cluster yet.
	ErrNotReady = errors.New("the topic is not located yet")
	// ErrTooManyPending means that as many messages, or bytes, as allowed wait for the broker's answer.
	ErrTooManyPending = errors.New("too many messages wait for the broker's answer")
	// ErrClosed means that the client was closed.
	ErrClosed = errors.New("the client is closed")
	// ErrTimeout means that the broker did not answer within the send timeout.
	ErrTimeout = errors.New("no answer from the broker within the send timeout")
	// ErrNoRoute means that no broker serves the topic.
	ErrNoRoute = errors.New("no broker serves the topic")
	// ErrQueueAway means that the queue of an order key is at a broker that is away, or takes no messages. No other queue is
	// used, as consumers would see the key's messages out of order.
	ErrQueueAway = errors.New("the queue of this order key is at a broker that is away or takes no messages, and another queue would break the order: " +
		"send again when it is back; if it never is, restart the producers once the consumers are done with the rest")
	// ErrOrderBroken means that the message waited behind one with its order key that failed, and would have overtaken it.
	ErrOrderBroken = errors.New("an earlier message with this order key failed: send that one again, then this one")
	// ErrTimerOff means that the broker delays in levels only.
	ErrTimerOff = errors.New("the broker's timer wheel is off (timerWheelEnable): use Delay.Level, or have it turned on")
	// ErrDelayTooLong means that a message is delayed for longer than the broker keeps them.
	ErrDelayTooLong = errors.New("the delay is longer than the broker's timerMaxDelaySec: send the message later, or have it raised")
	// ErrInvalidMessage means that the message itself can never be sent; the wrapping error says why.
	ErrInvalidMessage = errors.New("invalid message")
)

// Fate is what is known about a message whose send failed.
type Fate int

const (
	// Unsent is a message that never left this process; sending it again cannot make a duplicate.
	Unsent Fate = iota + 1
	// Refused is a message that the broker answered not to have stored.
	Refused
	// Unknown is a message that the broker may or may not have stored; sending it again may make a duplicate.
	Unknown
)

// String returns the fate in lower case.
func (f Fate) String() string {
	switch f {
	case Unsent:
		return "unsent"
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	default:
		return "Fate(" + strconv.Itoa(int(f)) + ")"
	}
}

// SendError is every error of Send and SendOneway.
type SendError struct {
	Fate Fate
	// Code is the broker's response code when Fate is Refused, else 0.
	Code int
	Err  error
}

// Error implements error.
func (e *SendError) Error() string { return fmt.Sprintf("send (message %s): %v", e.Fate, e.Err) }

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// Permanent reports whether the same message can never be sent, whatever the state of the cluster.
func (e *SendError) Permanent() bool {
	return errors.Is(e.Err, ErrInvalidMessage) || e.Code == codeMessageIllegal
}

// codeMessageIllegal is the broker's answer to a message it will never take: too large, delayed too far.
const codeMessageIllegal = 13

func unsent(err error) *SendError  { return &SendError{Fate: Unsent, Err: err} }
func unknown(err error) *SendError { return &SendError{Fate: Unknown, Err: err} }

// refusal matches the only form in which the library hands on a broker's response code.
var refusal = regexp.MustCompile(`^CODE: (\d+), DESC: `)

// toSendError gives the library's errors their meaning. The library has few typed errors, so some are told by text; one
// that is not recognised is Unknown, the fate that claims least.
func toSendError(err error) *SendError {
	if m := refusal.FindStringSubmatch(err.Error()); m != nil {
		code, convErr := strconv.Atoi(m[1])
		if convErr != nil {
			return unknown(err)
		}
		return &SendError{Fate: Refused, Code: code, Err: explain(fmt.Errorf("broker answered %w", err))}
	}
	if strings.HasSuffix(err.Error(), "route info not found") {
		return unsent(fmt.Errorf("%w: %w", ErrNoRoute, err))
	}
	if errors.Is(err, rmqerrors.ErrNotRunning) || errors.Is(err, rmqerrors.ErrService) {
		return unsent(ErrClosed)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return unsent(fmt.Errorf("connect to broker: %w", err))
	}
	if errors.Is(err, rmqerrors.ErrRequestTimeout) {
		return unknown(ErrTimeout)
	}
	return unknown(err)
}

// explain tells refusals that brokers give no code of their own.
func explain(err error) error {
	for said, meaning := range map[string]error{
		"accurate timer message is not enabled": ErrTimerOff,
		"delay time should not be bigger than":  ErrDelayTooLong,
	} {
		if strings.Contains(err.Error(), said) {
			return fmt.Errorf("%w: %w", meaning, err)
		}
	}
	return err
}
