// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"fmt"
)

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
	p.write = func() error { return lib.SendAsync(ctx, p.answer, msg.toLibrary(c.cfg.Topic, id)) }
	if msg.OrderKey != "" {
		p.lines, p.orderKey = c.lines, msg.OrderKey
	}
	p.watch(c.cfg.SendTimeout)
	if p.lines != nil && !p.lines.join(p) {
		return nil // Its turn comes.
	}
	if err := p.begin(); err != nil && p.cancel() {
		return err
	}
	return nil // Or the timer was first, and done has been told.
}

// SendOneway writes a message to the broker's connection and expects no answer. Its error, a *SendError, is what is known
// here: not ready, too much pending, no connection, write failed. It may block for a connection or a full socket, at most
// the send timeout or until ctx ends.
func (c *Client) SendOneway(ctx context.Context, msg Message) error {
	if msg.OrderKey != "" {
		return unsent(fmt.Errorf("%w: nothing confirms a oneway send, so nothing keeps its order: use Send, or leave OrderKey out", ErrInvalidMessage))
	}
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
