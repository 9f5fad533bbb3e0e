// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// A message in a transaction is stored where nobody consumes it, a half message, until its sender says what is to become
// of it. When the sender does not, the broker asks some client of the same producer group, every
// transactionCheckInterval (30 s) from transactionTimeOut (6 s) on, and drops the message after transactionCheckMax (15)
// answers of none. It asks on the connection that a heartbeat registered.

// Properties of a half message.
const (
	PropertyTransaction   = "TRAN_MSG" // "true"
	PropertyProducerGroup = "PGROUP"   // who is asked
)

// flagHalf is the bit of a half message's sysFlag.
const flagHalf = 0x4

// Decision is what becomes of a half message. The numbers are the protocol's.
type Decision int

// The decisions. There is none for "not yet": say nothing.
const (
	Commit   Decision = 8
	Rollback Decision = 12
)

// Half names a half message to its broker.
type Half struct {
	// Topic is where it becomes visible.
	Topic, Broker string
	// ID is its unique key.
	ID            string
	TransactionID string
	// Offset and PhysicalOffset are where the broker keeps it.
	Offset, PhysicalOffset int64
}

// SendHalf stores a message that stays invisible until [Client.EndTransaction]. It needs the properties
// [PropertyUniqueKey], [PropertyTransaction] and [PropertyProducerGroup]. Errors are those of [Client.Send]; what came
// with one is stored and will be asked for.
func (c *Client) SendHalf(ctx context.Context, addr string, s SendRequest) (Half, error) {
	if len(s.Messages) != 1 {
		return Half{}, errors.New("a transaction has one message")
	}
	s.Messages[0].half = true
	sent, err := c.Send(ctx, addr, s)
	if err != nil {
		return Half{}, err
	}
	half := Half{
		Topic: s.Queue.Topic, Broker: s.Queue.Broker, ID: s.Messages[0].Properties.Get(PropertyUniqueKey),
		TransactionID: sent.transactionID, Offset: sent.Offset,
	}
	const digits = 16 // of the id's last 8 bytes
	if len(sent.ID) < digits {
		return Half{}, fmt.Errorf("read the reply of %s to a half message: its id %q says no offset", addr, sent.ID)
	}
	offset, err := strconv.ParseUint(sent.ID[len(sent.ID)-digits:], 16, 64)
	if err != nil {
		return Half{}, fmt.Errorf("read the reply of %s to a half message: its id %q says no offset", addr, sent.ID)
	}
	half.PhysicalOffset = int64(offset)
	return half, nil
}

// EndTransaction tells the broker that stores the half message what becomes of it. It is not sent twice, as a message that
// is committed twice is there twice. checked says that the broker asked.
func (c *Client) EndTransaction(ctx context.Context, addr, group string, h Half, d Decision, checked bool) error {
	return c.tell(ctx, addr, OpEndTransaction, Fields{
		{"topic", h.Topic},
		{"producerGroup", group},
		{"tranStateTableOffset", itoa64(h.Offset)},
		{"commitLogOffset", itoa64(h.PhysicalOffset)},
		{"commitOrRollback", itoa(int(d))},
		{"fromTransactionCheck", fmt.Sprint(checked)},
		{"msgId", h.ID},
		{"transactionId", h.TransactionID},
		{"bname", h.Broker},
	}, nil)
}

// Half reads a request [OpCheckTransaction]: the broker at r.Addr asks, one-way, what has become of a message.
func (r *Request) Half() (Half, *Message, error) {
	messages, _ := NewDecoder(DefaultMaxBody).Decode(r.Body, Queue{}, 0)
	if len(messages) != 1 || messages[0].Err != nil {
		return Half{}, nil, fmt.Errorf("read what %s asks: there is no message to be decoded", r.Addr)
	}
	m := &messages[0]
	offset, err := r.field64("tranStateTableOffset")
	if err != nil {
		return Half{}, nil, fmt.Errorf("read what %s asks: %w", r.Addr, err)
	}
	physical, err := r.field64("commitLogOffset")
	if err != nil {
		return Half{}, nil, fmt.Errorf("read what %s asks: %w", r.Addr, err)
	}
	return Half{
		Topic: m.Topic, Broker: r.Fields.Get("bname"), ID: m.Property(PropertyUniqueKey),
		TransactionID: r.Fields.Get("transactionId"), Offset: offset, PhysicalOffset: physical,
	}, m, nil
}

// UnregisterProducer takes the client out of the producer group at one broker, which then asks others.
func (c *Client) UnregisterProducer(ctx context.Context, addr, clientID, group string) error {
	return c.tell(ctx, addr, OpUnregister, Fields{{"clientID", clientID}, {"producerGroup", group}}, nil)
}
