// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import "time"

// lanes keep a window's messages in the order of their offsets within each key. The lowest unfinished message of a lane is its head: it waits, runs, or
// rests until its next attempt; all others are behind it. They are lists through the window's places, so that a message costs no allocation.
type lanes struct {
	// last is the sequence number of each lane's last message. A lane lives while it has one.
	last map[uint64]uint64
	// stops are the messages' places in their lanes, as the window's places are.
	stops []stop
	// behind and resting count the messages in these states.
	behind, resting int
}

// stop is a message's place in its lane.
type stop struct {
	key
	// next is the sequence number of the message behind it; 0: it is the last.
	next uint64
	// due is when a resting message is to be tried again.
	due time.Time
}

func newLanes(size int) *lanes {
	return &lanes{last: map[uint64]uint64{}, stops: make([]stop, size)}
}

func (l *lanes) at(seq uint64) *stop { return &l.stops[seq%uint64(len(l.stops))] }

// join puts a message at the end of its lane, and reports whether it is the head.
func (l *lanes) join(seq uint64, k key) (head bool) {
	*l.at(seq) = stop{key: k}
	last, lives := l.last[k.lane]
	l.last[k.lane] = seq
	if lives {
		l.at(last).next = seq
		l.behind++
	}
	return !lives
}

// leave takes a lane's head out of it, and returns the next head; 0: there is none.
func (l *lanes) leave(seq uint64) (head uint64) {
	s := l.at(seq)
	if s.next == 0 {
		delete(l.last, s.lane)
		return 0
	}
	l.behind--
	return s.next
}

// rest makes a running message wait for its next attempt. It stays its lane's head.
func (w *window) rest(seq uint64, due time.Time) {
	w.at(seq).state = resting
	w.lanes.at(seq).due = due
	w.lanes.resting++
}

// rise makes those wait to be started whose time has come; next is when to look again, zero if none is left.
func (w *window) rise(now time.Time) (next time.Time) {
	risen := 0
	for seq := w.open; w.lanes.resting > risen && seq < w.end; seq++ {
		if w.at(seq).state != resting {
			continue
		}
		due := w.lanes.at(seq).due
		switch {
		case !due.After(now):
			w.hold(seq)
			risen++
		case next.IsZero() || due.Before(next):
			next = due
		}
	}
	w.lanes.resting -= risen
	return next
}

// lowestResting is the lowest message that rests; the end if none does.
func (w *window) lowestResting() uint64 {
	if w.lanes == nil || w.lanes.resting == 0 {
		return w.end
	}
	seq := w.open
	for w.at(seq).state != resting {
		seq++
	}
	return seq
}

// blocked is how many messages wait for another of their lane, or for their next attempt.
func (w *window) blocked() int {
	if w.lanes == nil {
		return 0
	}
	return w.lanes.behind + w.lanes.resting
}
