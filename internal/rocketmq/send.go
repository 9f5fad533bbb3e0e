// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// SendRequest is a message, or several for one queue, to be stored.
type SendRequest struct {
	// Group is the producer group the broker notes; it need not exist.
	Group string
	Queue Queue
	// Messages are stored in this order; more than one travel as a batch, all
	// or none.
	Messages []OutMessage
}

// OutMessage is a message to be sent.
type OutMessage struct {
	Properties Fields
	Body       []byte
	Flag       int32
	// Compressed says that Body is, by zlib; see [OutMessage.Compress]. Not in a
	// batch.
	Compressed bool

	half bool // see [Client.SendHalf]
}

// SendResult says where a message was stored; of a batch, its first message.
type SendResult struct {
	ID     string // as [Message.ID]; of a batch, all of them, separated by commas
	Queue  Queue
	Offset int64

	transactionID string // of a half message
}

// Send stores messages at one broker. Nil means they are stored as durably as
// the broker is set up to promise. An [*Error] that says Stored comes with the
// result. After [ErrUnreachable] or the context's
// error it is not known; the client never sends twice by itself.
//
// Further errors: [ErrNotFound] (no such topic), [CodeMessageIllegal] (too large),
// [ErrPermission], [ErrBusy].
func (c *Client) Send(ctx context.Context, addr string, s SendRequest) (SendResult, error) {
	if len(s.Messages) == 0 {
		return SendResult{}, fmt.Errorf("send to %v: there is no message", s.Queue)
	}
	op, first := OpSend, s.Messages[0]
	body, batch := first.Body, len(s.Messages) > 1
	properties, err := EncodeProperties(first.Properties)
	if batch {
		op, properties = OpSendBatch, ""
		body, err = encodeBatch(s.Messages)
	}
	if err != nil {
		return SendResult{}, fmt.Errorf("send to %v: %w", s.Queue, err)
	}
	r, err := c.Do(ctx, addr, op, Fields{
		{"a", s.Group},
		{"b", s.Queue.Topic},
		{"c", defaultTopic},
		{"d", "4"}, // queues of a topic made by sending
		{"e", itoa(s.Queue.ID)},
		{"f", itoa(first.sysFlag())},
		{"g", itoa64(time.Now().UnixMilli())},
		{"h", itoa(int(first.Flag))},
		{"i", properties},
		{"j", "0"},
		{"k", "false"},
		{"l", "0"},
		{"m", fmt.Sprint(batch)},
		{"n", s.Queue.Broker},
	}, body)
	if r == nil {
		return SendResult{}, err
	}
	if answer := (&Error{Code: Code(r.Code)}); answer.Code != CodeOK && !answer.Stored() {
		return SendResult{}, err
	}
	result := SendResult{ID: r.Fields.Get("msgId"), Queue: s.Queue, transactionID: r.Fields.Get("transactionId")}
	id, idErr := r.field64("queueId")
	offset, offsetErr := r.field64("queueOffset")
	if err == nil && (idErr != nil || offsetErr != nil) {
		return result, fmt.Errorf("read the reply to %v of %s: it names no queue and offset", op, addr)
	}
	result.Queue.ID, result.Offset = int(id), offset
	return result, err
}

// encodeBatch writes messages as the body of a batch:
//
//	i32 size | i32 0 | i32 0 | i32 flag | i32 length, body | u16 length, properties
func encodeBatch(messages []OutMessage) ([]byte, error) {
	var b []byte
	be := binary.BigEndian
	for i, m := range messages {
		if m.Compressed {
			return nil, fmt.Errorf("message %d is compressed, which cannot be said of one in a batch: send it alone", i)
		}
		properties, err := EncodeProperties(m.Properties)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		b = be.AppendUint32(b, uint32(22+len(m.Body)+len(properties)))
		b = be.AppendUint64(b, 0)
		b = be.AppendUint32(b, uint32(m.Flag))
		b = be.AppendUint32(b, uint32(len(m.Body)))
		b = append(b, m.Body...)
		b = be.AppendUint16(b, uint16(len(properties)))
		b = append(b, properties...)
	}
	return b, nil
}

// SendBackRequest gives one message back to the group for another attempt.
type SendBackRequest struct {
	Group   string
	Message *Message
	// DelayLevel counts the broker's messageDelayLevel from 1; 0 lets the broker
	// choose by the number of attempts, -1 is the dead letters at once.
	DelayLevel int
	// MaxReconsume is how often the message may be sent back before the broker
	// makes it a dead letter itself.
	MaxReconsume int
}

// SendBack stores the message in the group's retry topic, to be delivered after
// the delay. addr must be the broker the message was pulled from. Only nil, or an
// [*Error] that says Stored, means that it is stored there: then, not before, its
// offset may be committed. Further errors: [ErrDeleted], [ErrNotFound] (no such group).
func (c *Client) SendBack(ctx context.Context, addr string, s SendBackRequest) error {
	m := s.Message
	err := c.tell(ctx, addr, OpSendBack, Fields{
		{"group", s.Group},
		{"offset", itoa64(m.PhysicalOffset)},
		{"delayLevel", itoa(s.DelayLevel)},
		{"originMsgId", m.Property(PropertyUniqueKey)},
		{"originTopic", m.Topic},
		{"unitMode", "false"},
		{"maxReconsumeTimes", itoa(s.MaxReconsume)},
		{"bname", m.Queue.Broker},
	}, nil)
	var refusal *Error
	if errors.As(err, &refusal) && refusal.Code == CodeSystemError { // whose remark is what became of the copy
		for _, code := range []Code{CodeFlushDiskTimeout, CodeFlushReplicaTimeout, CodeReplicaNotAvailable} {
			if refusal.Remark == code.String() {
				return &Error{Op: OpSendBack, Code: code, Addr: refusal.Addr}
			}
		}
	}
	return err
}
