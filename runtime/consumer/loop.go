// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// The periods of membership. The broker frees a lock after 60 s, and forgets a silent member after 120 s.
const (
	beatPeriod = 10 * time.Second
	// watchPeriod is how often the members are looked at without a hint; hurry is how often while something is missing.
	watchPeriod = 2 * time.Second
	hurry       = 100 * time.Millisecond
	// hurryFor is how long that is worth it: then a queue that is still missing is another's for longer, and is looked at once in a calm period.
	hurryFor = 5 * time.Second
	calm     = time.Second
	// memberGrace is how long a member must be missing from all lists before its locks are freed on its behalf.
	memberGrace = 3 * time.Second
	// settle is how long a newcomer, or a member that was away longer than memberGrace, takes no locks: longer than stale, the age at which a list of
	// members is too old to free locks by. Otherwise it could take a lock between another's look at the list and that one's unlock.
	settle = 400 * time.Millisecond
	stale  = 300 * time.Millisecond
	// freePeriod bounds how often locks of the dead are freed: 128 calls each.
	freePeriod = time.Second
	// retryPause is how often a broker that failed is tried again; the client puts dialling off for up to 2 s by itself. Together they are less than
	// memberGrace, so that after a broker's restart all its members are back before any of them takes what was another's.
	retryPause = 500 * time.Millisecond
)

// membership is the one goroutine that decides which queues are ours: it keeps us registered, watches the other members, takes queues and gives them
// up. Its fields are its own.
type membership struct {
	*Consumer
	kick  chan struct{}
	pulse pulse

	epoch     int64 // when we began, in milliseconds: our subscription's version
	firstMu   sync.Mutex
	first     []rocketmq.Queue         // of the topic, when we began; for Broadcasting, as kept
	kept      map[rocketmq.Queue]int64 // how far queues were read that were let go
	routes    routes
	links     []*link
	census    *census
	slot      int // -1: none yet
	id        string
	settledAt time.Time   // when nothing was missing last
	obstacle  string      // what kept us from joining at the last attempt
	leaving   bool        // for good
	stray     atomic.Bool // a topic was not where we thought: read the routes
	rejoin    bool        // give everything up and start anew with another slot
}

func newMembership(c *Consumer) *membership {
	return &membership{
		Consumer: c,
		kick:     make(chan struct{}, 1),
		epoch:    time.Now().UnixMilli(),
		routes:   newRoutes(c.cfg),
		slot:     -1,
		kept:     map[rocketmq.Queue]int64{},
	}
}

// poke makes the loop look at once. It does not block.
func (m *membership) poke() {
	select {
	case m.kick <- struct{}{}:
	default: // it is about to
	}
}

// run keeps up the membership until ctx ends, and then until every queue has been released.
func (m *membership) run(ctx context.Context) {
	stop := ctx.Done()
	m.pulse.beat()
	defer m.pulse.end()
	for {
		next := m.step()
		m.pulse.beat()
		if m.leaving && m.dispatch.empty() {
			m.unregister()
			return
		}
		timer := time.NewTimer(time.Until(next)) // an absolute time: whatever wakes us meanwhile does not put it off
		select {
		case <-stop:
			m.leaving, stop = true, nil
			m.dispatch.joined("", false)
			m.cfg.Log.Info("leaving the group", "group", m.cfg.Group)
			patience := time.AfterFunc(m.cfg.Grace+stragglers+2*callTimeout, m.endCalls)
			defer patience.Stop()
		case <-m.kick:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// step does what is due and returns when to come back.
func (m *membership) step() time.Time {
	m.refreshRoutes()
	if len(m.links) == 0 && m.routes.reading && !m.leaving {
		return time.Now().Add(watchPeriod) // woken by the answer
	}
	if m.slot < 0 && !m.leaving {
		if err := m.takeSlot(); err != nil {
			m.waitToJoin(err)
			return time.Now().Add(retryPause)
		}
	}
	if m.slot < 0 {
		return time.Now()
	}
	m.refreshLinks()
	settled := m.balance()
	if m.rejoin && m.dispatch.empty() {
		m.startAnew()
		return time.Now()
	}
	return m.next(settled)
}

// waitToJoin logs why we are no member yet, unless it is what it was.
func (m *membership) waitToJoin(err error) {
	if err.Error() != m.obstacle {
		m.obstacle = err.Error()
		m.cfg.Log.Warn("cannot join the group yet", "group", m.cfg.Group, "error", err)
	}
}

// next is the earliest time at which something is due.
func (m *membership) next(settled bool) time.Time {
	now := time.Now()
	next := now.Add(watchPeriod)
	switch {
	case settled:
		m.settledAt = now
		m.dispatch.settleIn()
	case now.Sub(m.settledAt) < hurryFor:
		next = now.Add(hurry)
	default:
		next = now.Add(calm)
	}
	due := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	due(m.routes.dueAt)
	for _, l := range m.links {
		for _, t := range []time.Time{l.retryAt, l.beatAt, l.settleAt, l.claimAt} {
			due(t)
		}
	}
	return next
}

// reroute makes the loop read the routes at once.
func (m *membership) reroute() {
	m.stray.Store(true)
	m.poke()
}
