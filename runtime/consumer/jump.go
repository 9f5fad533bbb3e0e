// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"slices"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Jump is a move of the position in a queue other than by reading.
type Jump struct {
	Queue    rocketmq.Queue
	Cause    worker.JumpCause
	From, To int64
	At       time.Time
}

// Jumps are those since the start.
type Jumps struct {
	// Total is how many there were, Lost how many messages were deleted unread.
	Total, Lost int64
	// Last are the latest, at most worker.MaxJumps, oldest first.
	Last []Jump
}

// jumpLog remembers jumps.
type jumpLog struct {
	mu    sync.Mutex
	jumps Jumps
}

func (n *jumpLog) note(j Jump) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.jumps.Total++
	if j.Cause == worker.JumpDeleted {
		n.jumps.Lost += j.To - j.From
	}
	if len(n.jumps.Last) == worker.MaxJumps {
		n.jumps.Last = slices.Delete(n.jumps.Last, 0, 1)
	}
	n.jumps.Last = append(n.jumps.Last, j)
}

// Jumps returns the moves of positions other than by reading.
func (c *Consumer) Jumps() Jumps {
	c.jumpLog.mu.Lock()
	defer c.jumpLog.mu.Unlock()
	jumps := c.jumpLog.jumps
	jumps.Last = slices.Clone(jumps.Last)
	return jumps
}

// jumped tells everybody.
func (c *Consumer) jumped(q *queue, cause worker.JumpCause, from, to int64) {
	j := Jump{Queue: q.id, Cause: cause, From: from, To: to, At: time.Now()}
	c.jumpLog.note(j)
	c.cfg.Observer.Jumped(j)
	log := c.cfg.Log.With("queue", q.id.String(), "from", from, "to", to)
	switch cause {
	case worker.JumpDeleted:
		log.Error("messages lost: the broker deleted them before they were read", "messages", to-from)
	case worker.JumpBeyondEnd:
		log.Error("offset set back: it lay beyond the end of the queue, which was made anew or has lost its end")
	case worker.JumpReset:
		log.Warn("offset moved by an administrator")
	}
}

// noteGaps tells of messages that the broker passed over since it does not have them any more. It deletes files of messages first, and for up to a minute still
// counts what they held. Where a subscription selects, that is told only if nothing else was found: else it cannot be told from what does not match.
func (c *Consumer) noteGaps(q *queue, offset int64, r rocketmq.PullResult) {
	if q.subscription.Selects() && !r.Deleted {
		return
	}
	next := offset
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.Offset > next && m.Err == nil { // else its offset may not have been read
			c.jumped(q, worker.JumpDeleted, next, m.Offset)
		}
		next = max(next, m.Offset+1)
	}
	if r.Status != rocketmq.Found && r.Next > next {
		c.jumped(q, worker.JumpDeleted, next, r.Next)
	}
}
