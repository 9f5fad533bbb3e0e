// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Model says who gets a message.
type Model string

// The models.
const (
	// Clustering shares the queues among the members: one of them gets a message.
	Clustering Model = "Clustering"
	// Broadcasting gives every member every message that is stored while it runs. It has no locks and no slot, and its positions are in memory only, as long
	// as the process lives: it begins at the end of each queue. What fails is dropped, and told: there are no retries and no dead letters, since those are the group's.
	Broadcasting Model = "Broadcasting"
)

func (c *Consumer) broadcasts() bool { return c.cfg.Model == Broadcasting }

func (c Config) validateModel() error {
	switch {
	case c.Model != Clustering && c.Model != Broadcasting:
		return fmt.Errorf("model is %q, not Clustering or Broadcasting", c.Model)
	case c.Model == Broadcasting && (c.Mode != Push || c.OrderKey != nil):
		return errors.New("a Broadcasting consumer is in mode Push, and keeps no order")
	}
	return nil
}

// joinAll makes us a member once a broker can be reached.
func (m *membership) joinAll() error {
	if len(m.links) == 0 {
		return fmt.Errorf("the topic %s has no route yet", m.cfg.Topic)
	}
	m.slot, m.id = 0, m.cfg.Instance
	m.census, m.settledAt = newCensus(time.Now()), time.Now()
	m.cfg.Log.Info("joining the group, for every message", "group", m.cfg.Group, "member", m.id)
	return nil
}

// all are the queues of the topic.
func (m *membership) all() []rocketmq.Queue { return slices.Clone(m.routes.queues[m.cfg.Topic]) }

// here is where this process begins in a queue: where it left it, at its end, or, in one that appears while it runs, with what was stored since it began.
func (c *Consumer) here(ctx context.Context, q *queue) (int64, error) {
	if offset, known := c.members.keptAt(q.id); known {
		return offset, nil
	}
	if c.members.appeared(q.id) {
		return c.client.SearchOffset(ctx, q.link.address(), q.id, time.UnixMilli(c.members.epoch))
	}
	return c.client.MaxOffset(ctx, q.link.address(), q.id)
}

// appeared reports whether the queue was not there when we began.
func (m *membership) appeared(q rocketmq.Queue) bool {
	m.firstMu.Lock()
	defer m.firstMu.Unlock()
	return !slices.Contains(m.first, q)
}

// remember notes the queues there are at the beginning.
func (m *membership) remember(queues []rocketmq.Queue) {
	m.firstMu.Lock()
	defer m.firstMu.Unlock()
	if m.first == nil {
		m.first = queues
	}
}

// keep notes how far a queue was read that is let go: its broker may be back in the route in a moment, and what is sent to it meanwhile is for us too. Nobody
// has to be asked, so that a broker that is away holds up no stop.
func (c *Consumer) keep(q *queue) {
	offset, opened := c.dispatch.left(q)
	if !opened {
		return
	}
	c.cfg.Observer.Committed(c.dispatch.committed(q, offset))
	c.members.firstMu.Lock()
	defer c.members.firstMu.Unlock()
	c.members.kept[q.id] = offset
}

// keptAt is how far a queue was read that was let go.
func (m *membership) keptAt(q rocketmq.Queue) (offset int64, known bool) {
	m.firstMu.Lock()
	defer m.firstMu.Unlock()
	offset, known = m.kept[q]
	return offset, known
}

// left is where a queue that is released stands, if it was read at all.
func (d *dispatcher) left(q *queue) (offset int64, opened bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return q.window.position(), q.window.places != nil
}

// drop gives a message up.
func (c *Consumer) drop(t task, o outcome.Outcome) verdict {
	c.cfg.Observer.Dropped(o.Reason)
	c.cfg.Log.Warn("message dropped: where every member gets every message nothing is tried again", append(where(t.message), "kind", o.Kind.String(), "reason", string(o.Reason))...)
	return passed
}
