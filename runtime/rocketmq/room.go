// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import "sync"

// room bounds what waits for the broker's answer, in messages and in bytes.
type room struct {
	maxMessages, maxBytes int

	mu              sync.Mutex
	messages, bytes int
	closed          bool
	empty           chan struct{} // closed once room is closed and the last message has left
}

func newRoom(maxMessages, maxBytes int) *room {
	return &room{maxMessages: maxMessages, maxBytes: maxBytes, empty: make(chan struct{})}
}

// enter admits one message of the given size, or says at once why not.
func (r *room) enter(size int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrClosed
	case r.messages >= r.maxMessages, r.bytes+size > r.maxBytes:
		return ErrTooManyPending
	}
	r.messages++
	r.bytes += size
	return nil
}

// leave gives back what enter took.
func (r *room) leave(size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages--
	r.bytes -= size
	r.signal()
}

// close admits nothing more. The returned channel is closed when nothing is inside any more.
func (r *room) close() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.signal()
	}
	return r.empty
}

func (r *room) signal() {
	if r.closed && r.messages == 0 {
		close(r.empty)
	}
}

// pending is the number of messages inside.
func (r *room) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages
}
