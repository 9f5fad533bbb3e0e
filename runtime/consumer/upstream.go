// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// rememberedKeys is of how many order keys it is known which queue they came in last; a newer key takes the place of an older one. They take 1 MiB.
const rememberedKeys = 1 << 16

// Violation is that messages came whose order key was seen last in another queue of the topic: their sender does not keep the order that is kept here. Of
// two queues that different members have, neither sees it.
type Violation struct {
	// Messages counts them, since the start. Last is when one came, in the first of Queues; the second is where its key had been.
	Messages int64
	Last     time.Time
	Queues   [2]rocketmq.Queue
}

// upstream remembers where keys came.
type upstream struct {
	mu     sync.Mutex
	places []sighting // by the lowest bits of the lane; made with the first key
	queues []rocketmq.Queue
	found  Violation
}

// sighting is where a key was seen last: 1 more than an index of queues; 0: no key was.
type sighting struct {
	lane  uint64
	queue uint32
}

// note takes down keys that came in a queue, and returns of how many of them the order is violated.
func (u *upstream) note(id rocketmq.Queue, keys []key) (violated int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.places == nil {
		u.places = make([]sighting, rememberedKeys)
	}
	queue := u.index(id)
	for _, k := range keys {
		if k.lane == keyless {
			continue
		}
		p := &u.places[k.lane%rememberedKeys]
		if p.lane == k.lane && p.queue != 0 && p.queue != queue {
			violated++
			u.found.Queues = [2]rocketmq.Queue{id, u.queues[p.queue-1]}
		}
		*p = sighting{k.lane, queue}
	}
	if violated > 0 {
		u.found.Messages += int64(violated)
		u.found.Last = time.Now()
	}
	return violated
}

func (u *upstream) index(id rocketmq.Queue) uint32 {
	for i, q := range u.queues {
		if q == id {
			return uint32(i + 1)
		}
	}
	u.queues = append(u.queues, id)
	return uint32(len(u.queues))
}

// watchUpstream tells of keys that came in another queue before. The retry topic has those of all queues.
func (c *Consumer) watchUpstream(q *queue, keys []key) {
	if keys == nil || q.id.Topic != c.cfg.Topic {
		return
	}
	violated := c.upstream.note(q.id, keys)
	if violated == 0 {
		return
	}
	c.cfg.Observer.OrderViolated(violated)
	if v := c.Violation(); v.Messages == int64(violated) { // the first
		c.cfg.Log.Warn("an order key comes in two queues: its sender does not send a key always to the same queue, and its order cannot be kept",
			"queue", q.id.String(), "before", v.Queues[1].String())
	}
}

// Violation tells of order keys that came in two queues; zero if none did.
func (c *Consumer) Violation() Violation {
	c.upstream.mu.Lock()
	defer c.upstream.mu.Unlock()
	return c.upstream.found
}
