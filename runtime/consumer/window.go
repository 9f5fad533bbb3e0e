// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import "github.com/orderflow-dev/orderflow/internal/rocketmq"

// window holds one queue's messages from the first whose offset is not committed to the last fetched, in the order of their offsets, and knows where
// each stands:
//
//	first ≤ open ≤ end
//	[first, open)  finished, to be committed
//	[open, end)    the lowest unfinished one, and whatever lies behind it in any state
//
// Messages are named by their sequence number, which counts from 0 as long as the window lives. It has a fixed number of places: what is fetched,
// in flight or finished and would come again after a crash never exceeds it.
type window struct {
	places []place
	first  uint64
	open   uint64
	end    uint64
	// start is no higher than the lowest waiting message; waiting counts them.
	start   uint64
	waiting int
	// next is the offset to fetch next.
	next int64
	// committed is the offset the broker has.
	committed int64
	// done counts the messages that are finished and still held: their offsets are not committed.
	done int
	// bytes are what the replies hold of which something is unfinished.
	bytes int
	// lanes are nil where no order is kept.
	lanes *lanes
}

type place struct {
	message *rocketmq.Message
	reply   *reply
	offset  int64
	state   state
}

// batchSize is what a broker returns at most, unless its maxTransferCountOnMessageInMemory says otherwise.
const batchSize = 32

// state is where a message stands.
type state uint8

const (
	waiting  state = iota // may be started
	running               // somebody has it, or gave it up for good
	finished              // its offset may pass
	behind                // another of its lane comes first
	resting               // until its next attempt
)

// unknown stands for a committed offset that may have been moved under us; the position is committed at once.
const unknown = -1

// newWindow returns an empty window that continues at a committed offset.
func newWindow(size int, committed int64) window {
	return window{places: make([]place, size), next: committed, committed: committed}
}

func (w *window) at(seq uint64) *place { return &w.places[seq%uint64(len(w.places))] }

// room is how many more messages fit.
func (w *window) room() int { return len(w.places) - w.uncommitted() }

// uncommitted is how many messages would come again after a crash.
func (w *window) uncommitted() int { return int(w.end - w.first) }

// batch is how many messages are fetched at a time: less would be a waste of calls.
func (w *window) batch() int { return min(batchSize, len(w.places)) }

// ripe reports whether committing makes room for another batch.
func (w *window) ripe() bool { return w.room()+int(w.open-w.first) >= w.batch() }

// append adds the messages of a reply that takes so many bytes, with their keys if order is kept. There must be room for them. It returns how many of
// them may be started.
func (w *window) append(messages []rocketmq.Message, keys []key, bytes int) (startable int) {
	if len(messages) == 0 {
		return 0
	}
	if keys != nil && w.lanes == nil {
		w.lanes = newLanes(len(w.places))
	}
	startable = len(messages)
	r := &reply{bytes: bytes, unfinished: len(messages)}
	for i := range messages {
		p := w.at(w.end)
		*p = place{message: &messages[i], reply: r, offset: messages[i].Offset}
		if keys != nil && !w.lanes.join(w.end, keys[i]) {
			p.state = behind
			startable--
		}
		w.end++
	}
	w.waiting += startable
	w.bytes += bytes
	return startable
}

// lowest returns the lowest waiting message at or above from. There must be one at all; if it is below from only, the lowest is returned.
func (w *window) lowest(from uint64) uint64 {
	for w.at(w.start).state != waiting {
		w.start++
	}
	for seq := max(from, w.start); seq < w.end; seq++ {
		if w.at(seq).state == waiting {
			return seq
		}
	}
	return w.start
}

// begin marks a waiting message as running and returns it.
func (w *window) begin(seq uint64) *rocketmq.Message {
	p := w.at(seq)
	p.state = running
	w.waiting--
	return p.message
}

// flaw is why a message must not be handled, nil if it may.
func (w *window) flaw(seq uint64) error {
	if w.lanes == nil {
		return nil
	}
	return w.lanes.at(seq).flaw
}

// hold makes a message wait to be started, again or at last.
func (w *window) hold(seq uint64) {
	w.at(seq).state = waiting
	w.waiting++
	w.start = min(w.start, seq)
}

// finish lets a running message's offset pass, and returns how many bytes that sets free: those of its reply, if it was the last.
func (w *window) finish(seq uint64) (freed int) {
	p := w.at(seq)
	if p.reply.unfinished--; p.reply.unfinished == 0 {
		freed = p.reply.bytes
		w.bytes -= freed
	}
	p.state, p.message, p.reply = finished, nil, nil
	w.done++
	if w.lanes != nil {
		if head := w.lanes.leave(seq); head != 0 {
			w.hold(head)
		}
	}
	for w.open < w.end && w.at(w.open).state == finished {
		w.open++
	}
	w.start = max(w.start, w.open)
	return freed
}

// position is the lowest unfinished offset: what may be committed.
func (w *window) position() int64 {
	if w.open < w.end {
		return w.at(w.open).offset
	}
	return w.next
}

// commit notes that the broker has the offset, and frees the places below it.
func (w *window) commit(offset int64) {
	w.committed = offset
	for w.first < w.open && w.at(w.first).offset < offset {
		w.first++
		w.done--
	}
}
