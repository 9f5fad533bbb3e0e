// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of failure a caller decides on. Every error of a call is exactly
// one of these (test with [errors.Is]), or the error of the caller's context,
// or a plain error that says what was wrong with the arguments or the reply.
var (
	// ErrNotFound: the topic, group, offset or member list that was named does
	// not exist at the peer.
	ErrNotFound = errors.New("not found")
	// ErrNotOnline: the group exists but has no member, or not the one asked for.
	ErrNotOnline = errors.New("not online")
	// ErrDeleted: the peer has not got the message any more that was named.
	ErrDeleted = errors.New("deleted")
	// ErrPermission: the credentials are missing or wrong, or do not allow this;
	// or the topic's or broker's own permission bits forbid it.
	ErrPermission = errors.New("no permission")
	// ErrUnreachable: there was no connection, or it broke. Whether a request
	// that had been sent was carried out is not known.
	ErrUnreachable = errors.New("unreachable")
	// ErrBusy: the peer asks to come back later.
	ErrBusy = errors.New("busy")
	// ErrRefused: the peer answered no, for any other reason.
	ErrRefused = errors.New("refused")
	// ErrHandshake: TLS could not be agreed on; what is wrong with a certificate
	// is in it, as crypto/x509 says it. It is an [ErrUnreachable] too.
	ErrHandshake = errors.New("tls handshake")
	// ErrClosed: the client was closed. It is an [ErrUnreachable] too.
	ErrClosed = errors.New("client closed")
)

// Error is a reply that said no.
type Error struct {
	Op     Op     // what was asked
	Code   Code   // what the peer answered
	Remark string // the peer's own words; may be empty or a Java stack trace
	Addr   string // host:port of the peer
}

// maxRemark bounds how much of the peer's remark reaches an error text:
// brokers put whole stack traces there.
const maxRemark = 256

// Error names the request, the peer, and the code by name and number.
func (e *Error) Error() string {
	remark, _, _ := strings.Cut(e.Remark, "\n")
	if len(remark) > maxRemark {
		remark = strings.ToValidUTF8(remark[:maxRemark], "") + "…"
	}
	text := fmt.Sprintf("%v at %s: %v (%d)", e.Op, e.Addr, e.Code, int(e.Code))
	if remark != "" {
		text += ": " + remark
	}
	return text
}

// Is makes errors.Is(err, ErrNotFound) and its like work.
func (e *Error) Is(target error) bool { return e.kind() == target }

// Stored reports whether the peer has what it was sent, less durably than it is set up to promise.
func (e *Error) Stored() bool {
	switch e.Code {
	case CodeFlushDiskTimeout, CodeFlushReplicaTimeout, CodeReplicaNotAvailable:
		return true
	}
	return false
}

// kind is one of the Err… values above.
func (e *Error) kind() error {
	switch e.Code {
	case CodeTopicNotExist, CodeQueryNotFound, CodeGroupNotExist:
		return ErrNotFound
	case CodeConsumerNotOnline:
		return ErrNotOnline
	case CodeNoPermission:
		return ErrPermission
	case CodeSystemBusy, CodeFlowControl, CodeGoAway:
		return ErrBusy
	case CodeSystemError:
		return systemErrorKind(e.Remark)
	}
	return ErrRefused
}

// systemErrorKind reads the remark of code 1, which brokers also use where a
// code of its own would have been right.
func systemErrorKind(remark string) error {
	switch {
	case strings.HasPrefix(remark, "no consumer for this group"): // 38 of a group without members
		return ErrNotFound
	case strings.HasSuffix(remark, "not online"): // 307 of a member that is away
		return ErrNotOnline
	case strings.HasPrefix(remark, "look message by offset failed"): // 36 of a message whose file was deleted
		return ErrDeleted
	}
	return ErrRefused
}

// connError is a connection that could not be made or did not live.
type connError struct {
	doing string
	addr  string
	err   error
}

func (e *connError) Error() string   { return fmt.Sprintf("%s %s: %v", e.doing, e.addr, e.err) }
func (e *connError) Unwrap() error   { return e.err }
func (e *connError) Is(t error) bool { return t == ErrUnreachable }
