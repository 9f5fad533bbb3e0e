// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// answerSlack is how much longer than the send timeout our own timer waits, so that the library's answer, which says
// more, usually comes first. The library answers too, but a message that waits for its turn to connect only when it had it.
const answerSlack = 250 * time.Millisecond

// Send hands a message to the broker and returns without waiting for the answer. When it returns nil, done is called
// exactly once, on another goroutine, with the receipt or a *SendError, within the send timeout and a short slack. When
// it returns an error, always a *SendError, done is never called. ctx is only looked at when Send begins.
func (c *Client) Send(ctx context.Context, msg Message, done func(Receipt, error)) error {
	lib, id, err := c.admit(ctx, msg)
	if err != nil {
		return err
	}
	p := newPending(c.room, c.cfg, id, len(msg.Body), done)
	// The caller's context may end, as a request's does when it is answered, long before the broker's answer is here.
	ctx = context.WithoutCancel(ctx)
	err = lib.SendAsync(ctx, p.answer, msg.toLibrary(c.cfg.Topic, id))
	if err != nil && p.cancel() {
		return toSendError(err)
	}
	return nil // Or the timer was first, and done has been told.
}

// SendOneway writes a message to the broker's connection and expects no answer. Its error, a *SendError, is what is known
// here: not ready, too much pending, no connection, write failed. It may block for a connection or a full socket, at most
// the send timeout or until ctx ends.
func (c *Client) SendOneway(ctx context.Context, msg Message) error {
	lib, id, err := c.admit(ctx, msg)
	if err != nil {
		return err
	}
	defer c.room.leave(len(msg.Body))
	// The library gives a oneway send no timeout of its own. And a context's deadline becomes the write deadline of the
	// connection all senders share, which is torn down when it passes: so ours is always the full timeout, and the
	// caller's end only cancels.
	sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.SendTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	if err := lib.SendOneWay(sendCtx, msg.toLibrary(c.cfg.Topic, id)); err != nil {
		sendErr := toSendError(err)
		if ctx.Err() != nil {
			sendErr.Err = fmt.Errorf("%w: %w", ctx.Err(), sendErr.Err)
		}
		return sendErr
	}
	return nil
}

// admit checks everything that can be known before the message leaves. When it returns no error the message is inside
// the room and must leave it.
func (c *Client) admit(ctx context.Context, msg Message) (*libraryProducer, string, error) {
	if err := msg.Validate(); err != nil {
		return nil, "", unsent(err)
	}
	if err := ctx.Err(); err != nil {
		// The library would write the message and then report a timeout.
		return nil, "", unsent(err)
	}
	lib := c.library.Load()
	if lib == nil {
		return nil, "", unsent(c.notReady())
	}
	if err := c.room.enter(len(msg.Body)); err != nil {
		return nil, "", unsent(err)
	}
	if msg.ID == "" {
		msg.ID = c.NewID()
	}
	return lib, msg.ID, nil
}

// pending is one message between Send and its answer.
type pending struct {
	room   *room
	logger *slog.Logger
	id     string
	size   int
	done   func(Receipt, error)
	timer  *time.Timer
	once   sync.Once
}

// newPending starts the time of a message that is inside the room.
func newPending(room *room, cfg Config, id string, size int, done func(Receipt, error)) *pending {
	p := &pending{room: room, logger: cfg.Logger, id: id, size: size, done: done}
	p.timer = time.AfterFunc(cfg.SendTimeout+answerSlack, func() { p.end(Receipt{}, unknown(ErrTimeout)) })
	return p
}

// answer is the library's callback.
func (p *pending) answer(_ context.Context, result *primitive.SendResult, err error) {
	p.timer.Stop()
	switch {
	case err != nil:
		p.end(Receipt{}, toSendError(err))
	case result.Status != primitive.SendOK:
		// Stored by the master, but not flushed or copied in time as the broker's configuration asks.
		p.end(Receipt{}, unknown(fmt.Errorf("broker stored the message but could not make it safe (send status %d)", result.Status)))
	default:
		receipt := Receipt{ID: p.id, Offset: result.QueueOffset}
		if result.MessageQueue != nil {
			receipt.Broker, receipt.Queue = result.MessageQueue.BrokerName, result.MessageQueue.QueueId
		}
		p.end(receipt, nil)
	}
}

// end tells the caller, unless p ended before.
func (p *pending) end(receipt Receipt, err error) {
	p.once.Do(func() {
		defer p.room.leave(p.size)
		defer p.catch()
		p.done(receipt, err)
	})
}

// cancel ends p without telling anybody; false when p ended before.
func (p *pending) cancel() (cancelled bool) {
	p.timer.Stop()
	p.once.Do(func() {
		p.room.leave(p.size)
		cancelled = true
	})
	return cancelled
}

// catch keeps a panic of the caller's done from being swallowed, which the library does with it, and from ending the
// process, which the timer would.
func (p *pending) catch() {
	if r := recover(); r != nil {
		p.logger.Error("panic in the callback of a send", "panic", r, "stack", string(debug.Stack()))
	}
}
