// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// answerSlack is how much longer than the send timeout our own timer waits, so that the library's answer, which says
// more, usually comes first. The library answers too, but a message that waits for its turn to connect only when it had it.
const answerSlack = 250 * time.Millisecond

// pending is one message between Send and its answer.
type pending struct {
	room   *room
	logger *slog.Logger
	id     string
	size   int
	done   func(Receipt, error)
	write  func() error // hands it to the library
	timer  *time.Timer
	stage  atomic.Int32
	once   sync.Once

	lines    *lines // nil without an order key
	orderKey string
}

// The stages of a pending message: it waits in its line, and then either is written or never will be.
const (
	waiting int32 = iota
	written
	withdrawn
)

// newPending is a message that is inside the room.
func newPending(room *room, cfg Config, id string, size int, done func(Receipt, error)) *pending {
	return &pending{room: room, logger: cfg.Logger, id: id, size: size, done: done}
}

// watch starts the time of the message.
func (p *pending) watch(timeout time.Duration) {
	p.timer = time.AfterFunc(time.Hour, func() { // Set before it can fire.
		if p.stage.CompareAndSwap(waiting, withdrawn) {
			p.end(Receipt{}, unsent(ErrTimeout))
			return
		}
		p.end(Receipt{}, unknown(ErrTimeout))
	})
	p.timer.Reset(timeout + answerSlack)
}

// begin writes the message; not if its time was over before its turn came.
func (p *pending) begin() error {
	if !p.stage.CompareAndSwap(waiting, written) {
		return nil
	}
	err := p.write()
	if err == nil {
		return nil
	}
	sendErr := toSendError(err)
	if p.lines != nil && errors.Is(sendErr, ErrNoRoute) {
		sendErr.Err = fmt.Errorf("%w: %w", ErrQueueAway, sendErr.Err)
	}
	return sendErr
}

// answer is the library's callback.
func (p *pending) answer(_ context.Context, result *primitive.SendResult, err error) {
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

// end tells the caller, unless p ended before, and gives the line behind it its turn or its end.
func (p *pending) end(receipt Receipt, err error) {
	p.once.Do(func() {
		p.timer.Stop()
		defer p.room.leave(p.size)
		// Before the caller is told: it may send again at once, which must not wait behind what fails now.
		defer p.advance(err == nil)()
		defer p.catch()
		p.done(receipt, err)
	})
}

// cancel ends p without telling anybody; false when p ended before.
func (p *pending) cancel() (cancelled bool) {
	p.once.Do(func() {
		p.timer.Stop()
		defer p.room.leave(p.size)
		defer p.advance(false)()
		cancelled = true
	})
	return cancelled
}

// advance takes p out of its line. The function it returns lets the next one begin or ends those behind.
func (p *pending) advance(stored bool) func() {
	if p.lines == nil {
		return func() {}
	}
	next, behind := p.lines.leave(p, stored)
	return func() {
		if next != nil {
			if err := next.begin(); err != nil {
				next.end(Receipt{}, err)
			}
		}
		for _, b := range behind {
			if b.stage.CompareAndSwap(waiting, withdrawn) {
				b.end(Receipt{}, unsent(ErrOrderBroken))
			}
		}
	}
}

// catch keeps a panic of the caller's done from being swallowed, which the library does with it, and from ending the
// process, which the timer would.
func (p *pending) catch() {
	if r := recover(); r != nil {
		p.logger.Error("panic in the callback of a send", "panic", r, "stack", string(debug.Stack()))
	}
}
