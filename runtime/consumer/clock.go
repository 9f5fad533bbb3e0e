// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// maxSkew is how far our clock may be from a broker's without a word.
	maxSkew = 30 * time.Second
	// skewMemory is for how long a difference is believed in after a message has shown it: the next may be long in coming.
	skewMemory = 10 * time.Minute
)

// edge is where a queue ended when it was last pulled from. What lies beyond was stored later.
type edge struct {
	offset int64
	pulled time.Time
}

// skew is by how much, at least, our clock is ahead of the broker's, or behind if negative; 0 if messages pulled now do not show more than maxSkew. What was
// stored later than now shows that we are behind; what was stored after the last pull, but by the broker's clock long before it, that we are ahead. How
// old the others are shows nothing: they may have waited.
func (e edge) skew(messages []rocketmq.Message, now time.Time) time.Duration {
	for i := range messages {
		m := &messages[i]
		if m.Err != nil { // its times may not have been read
			continue
		}
		if behind := m.StoredAt().Sub(now); behind > maxSkew {
			return -behind
		}
		if ahead := e.pulled.Sub(m.StoredAt()); m.Offset >= e.offset && ahead > maxSkew {
			return ahead
		}
	}
	return 0
}

// clock remembers the difference of our clock that was seen last.
type clock struct {
	mu   sync.Mutex
	skew time.Duration
	seen time.Time
}

// note remembers a difference; true if none was known.
func (c *clock) note(skew time.Duration) (news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	news = time.Since(c.seen) > skewMemory
	c.skew, c.seen = skew, time.Now()
	return news
}

// compareClocks looks at what a pull brought that was sent at a time.
func (c *Consumer) compareClocks(q *queue, sent time.Time, r rocketmq.PullResult) {
	if skew := q.edge.skew(r.Messages, time.Now()); skew != 0 && c.clock.note(skew) {
		c.cfg.Log.Warn("this machine's clock and the broker's differ: nothing expires meanwhile", "queue", q.id.String(), "ahead", skew.String())
	}
	q.edge = edge{offset: r.Max, pulled: sent}
}

// ClockSkew is by how much, at least, our clock was last seen ahead of a broker's, or behind if negative; 0 if it was not by more than 30 s within the last
// ten minutes.
func (c *Consumer) ClockSkew() time.Duration {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	if time.Since(c.clock.seen) > skewMemory {
		return 0
	}
	return c.clock.skew
}
