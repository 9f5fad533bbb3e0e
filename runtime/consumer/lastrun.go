// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/journal"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Before a pod begins the last run of a message that its journal allows, it marks the message at its broker, and takes the mark back when it has survived. Who
// is about to begin a last run too, and finds another's mark, ends the message instead: so one pod dies of it journal.Deadly times, all others once less.
//
// A mark alone ends nothing, since who made it may be alive, and only have lost the queue: it takes as many deaths here as there were there. One's own mark counts
// for nothing: had that run killed, the journal would say so.
//
// It is an offset that the group commits of its retry topic, which each broker has that a message can come from, in a queue that the topic does not have: nothing
// is read there, and no lag counts it.
const (
	// firstMark is the first of these queues. What a group may leave at a broker is bounded: messages share marks places, and the last that is marked has its own.
	firstMark = 1 << 20
	marks     = 1 << 10
	// A mark's lowest bits name the pod, the others the message.
	podBits     = 23
	messageBits = 63 - podBits
	unmarked    = 0
	// markPause is how long a message waits that cannot be marked.
	markPause = time.Second
)

// mark is where a message is marked, and our mark of it.
func (c *Consumer) mark(m *rocketmq.Message) (place rocketmq.Queue, ours int64) {
	id, _ := identity(m)
	message, pod := digest(id[:]), digest([]byte(c.cfg.Instance))
	place = rocketmq.Queue{Topic: rocketmq.RetryTopic(c.cfg.Group), Broker: m.Queue.Broker, ID: firstMark + int(message%marks)}
	return place, int64(message/marks%(1<<messageBits)<<podBits + pod%(1<<podBits))
}

func digest(data []byte) uint64 {
	sum := sha256.Sum256(data)
	return binary.BigEndian.Uint64(sum[:])
}

// venture marks a message for its last run. Where that must not begin, it says what becomes of the message.
func (c *Consumer) venture(t *task) (o outcome.Outcome, unfit bool) {
	ctx, cancel := c.call()
	defer cancel()
	place, ours := c.mark(t.message)
	found, err := c.client.QueryOffset(ctx, t.queue.link.address(), c.cfg.Group, place)
	if err == nil && found != ours && found>>podBits == ours>>podBits {
		return outcome.Spare(CrashLoop, fmt.Sprintf("the worker's process died %d times while it handled this message, and another worker's third run of it has not ended", journal.Deadly-1)), true
	}
	if err == nil || isMissing(err) {
		err = c.client.CommitOffset(ctx, t.queue.link.address(), c.cfg.Group, place, ours)
	}
	if err != nil {
		c.cfg.Log.Warn("cannot note at the broker that a message that killed this process is handled once more: it waits", append(where(t.message), "error", err)...)
		o = outcome.ParkUntil(t.queue.ctx.Done(), CrashLoop, "")
		o.Uncalled = true
		return o, true
	}
	t.marked = true
	return o, false
}

// unmark takes a message's mark back, if we made one, before its outcome lets it come to another.
func (c *Consumer) unmark(t task) verdict {
	if !t.marked {
		return passed
	}
	return c.attempt(t, func() error {
		ctx, cancel := c.call()
		defer cancel()
		place, _ := c.mark(t.message)
		return c.client.CommitOffset(ctx, t.queue.link.address(), c.cfg.Group, place, unmarked)
	}, func(err error) {
		c.cfg.Log.Warn("cannot note at the broker that this process has survived a message, trying again", append(where(t.message), "error", err)...)
	})
}
