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

// clock is what is known of our wall clock: the difference that was seen last, and since when it may have jumped.
type clock struct {
	// began is where the monotonic clock is read from.
	began time.Time

	mu     sync.Mutex
	skew   time.Duration
	seen   time.Time
	steady steady
}

// steady goes on by the monotonic clock from where the wall clock was last shown to be right. At first it is believed.
type steady struct {
	// wall is what it said then, at a time that the monotonic clock had reached.
	wall time.Time
	at   time.Duration
}

// show takes over what the wall clock says at a time, if a message's age by it is possible only by a clock that is right: by a fast one none is that young,
// and what has just come would be from the future by a slow one.
func (s *steady) show(wall time.Time, at, age time.Duration) {
	if age.Abs() <= maxSkew {
		*s = steady{wall, at}
	}
}

// earliest is the earliest that it can be when the wall clock says so at a time: that may have jumped since, the monotonic clock has not.
func (s *steady) earliest(wall time.Time, at time.Duration) time.Time {
	if steady := s.wall.Add(at - s.at); steady.Before(wall) {
		return steady
	}
	return wall
}

// reading is what both clocks say, in one reading.
func (c *clock) reading() (wall time.Time, at time.Duration) {
	now := time.Now()
	return now.Round(0), now.Sub(c.began)
}

func newClock() *clock {
	now := time.Now()
	return &clock{began: now, steady: steady{wall: now.Round(0)}}
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
	if n := len(r.Messages); n > 0 && r.Messages[n-1].Err == nil { // the youngest
		c.clock.show(r.Messages[n-1].StoredAt())
	}
	q.edge = edge{offset: r.Max, pulled: sent}
}

// show looks whether a message that was stored then shows that our clock is right.
func (c *clock) show(stored time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, at := c.reading()
	c.steady.show(wall, at, wall.Sub(stored))
}

// Earliest is the earliest that it can be now, and whether even that is certain: not while our clock is known to differ from a broker's.
func (c *Consumer) Earliest() (now time.Time, certain bool) {
	c.clock.mu.Lock()
	now = c.clock.steady.earliest(c.clock.reading())
	c.clock.mu.Unlock()
	return now, c.ClockSkew() == 0
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
