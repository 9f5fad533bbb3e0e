// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// balance compares what we hold with what falls to us, gives up and takes. False: something is still missing.
func (m *membership) balance() bool {
	members, asOf := union(m.links, time.Now())
	if !asOf.IsZero() {
		m.census.note(members, asOf)
	}
	_, listed := slices.BinarySearch(members, m.id)
	if !m.leaving {
		m.dispatch.joined(m.id, listed)
	}
	if !listed && !m.leaving && !m.rejoin {
		return false // nobody knows us, so that nothing falls to us; what we hold stays
	}
	ours := m.ours(members)
	m.giveUp(ours)
	m.settleDoubts(ours)
	if m.leaving || m.rejoin {
		return true
	}
	settled := true
	for _, l := range m.links {
		if !m.claim(l, ours, asOf) {
			settled = false
		}
	}
	return settled
}

// ours is what falls to us.
func (m *membership) ours(members []string) []rocketmq.Queue {
	if m.leaving || m.rejoin {
		return nil
	}
	if m.broadcasts() {
		return m.all()
	}
	var ours []rocketmq.Queue
	for _, topic := range m.routes.topics {
		ours = append(ours, allocate(m.routes.queues[topic], members, m.id)...)
	}
	return ours
}

// giveUp begins to release what we hold and should not. What lies at a broker that is away stays ours, unless we leave: nobody else can have it, and
// its last commit would not arrive.
func (m *membership) giveUp(ours []rocketmq.Queue) {
	for _, q := range m.dispatch.surplus(ours, m.leaving || m.rejoin) {
		m.tasks.Go(func() {
			m.release(q)
			m.dispatch.forget(q)
			m.poke()
		})
	}
}

// claim takes what we should hold at the broker and do not.
func (m *membership) claim(l *link, ours []rocketmq.Queue, asOf time.Time) bool {
	missing := m.dispatch.missing(l, ours)
	if len(missing) == 0 {
		return true
	}
	_, intact := m.dispatch.generation(l)
	if !intact || time.Now().Before(l.claimAt) {
		return false
	}
	missing = m.take(l, missing)
	if len(missing) > 0 && m.freeDead(l, missing, asOf) {
		missing = m.take(l, missing)
	}
	return len(missing) == 0
}

// take locks queues and starts those it got. It returns those it did not get.
func (m *membership) take(l *link, queues []rocketmq.Queue) (missing []rocketmq.Queue) {
	ctx, cancel := m.call()
	defer cancel()
	at := time.Now()
	got, err := queues, error(nil)
	if !m.broadcasts() {
		got, err = m.client.Lock(ctx, l.address(), m.cfg.Group, m.lock(), queues)
	}
	l.doubtful = without(l.doubtful, queues)
	if err != nil {
		m.cfg.Log.Warn("cannot take queues", "broker", l.broker, "error", err)
		l.doubtful = append(l.doubtful, queues...)
		return queues
	}
	for _, id := range queues {
		if !slices.Contains(got, id) {
			missing = append(missing, id)
			continue
		}
		q := newQueue(m.handling, id, l, m.subscription(id.Topic), at)
		m.dispatch.add(q)
		m.cfg.Observer.QueueGained(id)
		m.tasks.Go(func() {
			defer close(q.fetched)
			if m.openQueue(q) {
				m.fetch(q)
			}
		})
	}
	return missing
}

// settleDoubts gives back locks that we asked for, may have got, and should not have any more: nobody else could free them while we live.
func (m *membership) settleDoubts(ours []rocketmq.Queue) {
	for _, l := range m.links {
		back := without(l.doubtful, ours)
		if _, intact := m.dispatch.generation(l); len(back) == 0 || !intact || m.rejoin {
			continue
		}
		ctx, cancel := m.call()
		err := m.client.Unlock(ctx, l.address(), m.cfg.Group, m.lock(), back)
		cancel()
		if err != nil {
			m.cfg.Log.Warn("cannot give back queues that were perhaps taken", "broker", l.broker, "error", err)
			continue
		}
		l.doubtful = without(l.doubtful, back)
	}
}

// without returns the queues that are not among others.
func without(queues, others []rocketmq.Queue) []rocketmq.Queue {
	return slices.DeleteFunc(slices.Clone(queues), func(q rocketmq.Queue) bool { return slices.Contains(others, q) })
}

// freeDead frees the locks of members that are gone, and reports whether it tried. Another member may be registering at this moment: a list older than
// stale is not acted upon, and who registers waits for longer than that before it locks.
func (m *membership) freeDead(l *link, queues []rocketmq.Queue, asOf time.Time) bool {
	now := time.Now()
	dead := m.census.dead(m.cfg.Group, now)
	if len(dead) == 0 || now.Before(l.freeAt) {
		return false
	}
	l.freeAt = now.Add(freePeriod)
	ctx, cancel := context.WithDeadline(m.calls, asOf.Add(stale))
	defer cancel()
	var all sync.WaitGroup
	for _, name := range dead {
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			if err := m.client.Unlock(ctx, l.address(), m.cfg.Group, name, queues); err != nil {
				m.cfg.Log.Warn("cannot free the lock of a dead member", "broker", l.broker, "member", name, "error", err)
			}
		})
	}
	all.Wait()
	return true
}

// lost tells of a queue that is another's now. Its handlers are cancelled, their results are of no consequence.
func (m *membership) lost(q *queue) {
	m.cfg.Observer.QueueLost(q.id)
	m.cfg.Log.Warn("queue lost: what was not committed comes again elsewhere", "queue", q.id.String())
}
