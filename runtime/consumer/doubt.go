// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import "github.com/orderflow-dev/orderflow/internal/rocketmq"

// doubt is which messages of a queue somebody may have handled without that being counted anywhere: brokers count only what is sent back. Whoever had the queue before
// had at most a window's length of messages in flight, at rest, or finished and not committed, and none that was stored since.
type doubt struct {
	// from and end are offsets: the first that may have been handled, and what follows the last.
	from, end int64
	// left is how many more messages that may be.
	left int
}

// cast marks those of the messages that may have been handled. They come in the order of their offsets.
func (d *doubt) cast(messages []rocketmq.Message) {
	for i := range messages {
		m := &messages[i]
		switch {
		case d.left == 0:
			return
		case m.Err != nil: // its offset may not have been read, and nobody handles it
		case m.Offset >= d.end:
			d.left = 0
		case m.Offset >= d.from:
			m.MaybeHandled = true
			d.left--
		}
	}
}

// dropped is the doubt about a queue that begins anew while some of it was unfinished. What was finished and is read again is to be handled again.
func (q *queue) dropped() doubt {
	return doubt{from: q.window.position(), end: max(q.window.next, q.doubt.end), left: len(q.window.places)}
}
