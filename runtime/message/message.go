// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/internal/cloudevent"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Message is a RocketMQ message with its decoded order. It is not safe for concurrent use.
type Message struct {
	raw *rocketmq.Message

	decoded bool
	event   cloudevent.Event
	order   any
	err     error
}

var _ expression.Message = (*Message)(nil)

// New returns the message. It does not copy: raw must not change.
func New(raw *rocketmq.Message) *Message { return &Message{raw: raw} }

// Decode decodes the body and says why it cannot be. The error contains nothing of the body; it wraps expression.ErrTooLarge or
// cloudevent.ErrUnusable where that is why.
func (m *Message) Decode() error {
	if !m.decoded {
		m.decoded = true
		m.order, m.event, m.err = cloudevent.Decode(m.raw)
	}
	return m.err
}

// Order is the decoded body, or the data of a CloudEvent; nil if it cannot be decoded.
func (m *Message) Order() any {
	if m.Decode() != nil {
		return nil
	}
	return m.order
}

// Field returns a field of the order; false if the order is no object or has none of that name, or null.
func (m *Message) Field(name string) (any, bool) {
	order, ok := m.Order().(map[string]any)
	return order[name], ok && order[name] != nil
}

// Body is the order as it was sent.
func (m *Message) Body() []byte {
	if m.Decode() != nil {
		return m.raw.Body
	}
	return m.event.Data(m.raw.Body)
}

// ID is the same on every attempt.
func (m *Message) ID() string { return m.raw.OriginalID() }

// Topic is the one the message was sent to first.
func (m *Message) Topic() string { return m.raw.Topic }

// Tag is "" if it has none.
func (m *Message) Tag() string { return m.raw.Property(rocketmq.PropertyTags) }

// Keys are the sender's.
func (m *Message) Keys() []string { return strings.Fields(m.raw.Property(rocketmq.PropertyKeys)) }

// Properties are all, the sender's and RocketMQ's, and the attributes of a CloudEvent as ce_type and so on.
func (m *Message) Properties() map[string]string {
	_ = m.Decode() // without an order it is no event
	return m.event.Properties(m.raw)
}

// BornTime is when it was sent, by the sender's clock: of one that came back from the dead letters, when it was sent first.
func (m *Message) BornTime() time.Time { return time.UnixMilli(m.raw.FirstBorn()).UTC() }

// Attempt counts from 1. Time spent waiting or parked makes no attempt.
func (m *Message) Attempt() int { return m.raw.Reconsumed + 1 }

// MaybeAttempted reports whether there may have been an attempt that Attempt does not count, by whoever had the queue before.
func (m *Message) MaybeAttempted() bool { return m.raw.MaybeHandled }
