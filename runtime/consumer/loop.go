// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"slices"
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
	kick chan struct{}

	epoch    int64 // our subscription's version
	routes   routes
	links    []*link
	census   *census
	slot     int // -1: none yet
	id       string
	obstacle string      // what kept us from joining at the last attempt
	leaving  bool        // for good
	stray    atomic.Bool // a topic was not where we thought: read the routes
	rejoin   bool        // give everything up and start anew with another slot
}

func newMembership(c *Consumer) *membership {
	return &membership{
		Consumer: c,
		kick:     make(chan struct{}, 1),
		epoch:    time.Now().UnixMilli(),
		routes:   newRoutes(c.cfg),
		slot:     -1,
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
	for {
		next := m.step()
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
			patience := time.AfterFunc(m.cfg.Grace+stragglers+callTimeout, m.endCalls)
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
	if !settled {
		next = now.Add(hurry)
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

// refreshLinks brings what is known of each broker, and what each knows of us, up to date.
func (m *membership) refreshLinks() {
	var all sync.WaitGroup
	for _, l := range m.links {
		all.Go(func() { m.refresh(l) })
	}
	all.Wait()
}

var errSlotTaken = errors.New("our slot is another's: we were away for too long")

// refresh sends what is due to one broker and reads its members. One that failed is first tried aside, so that it holds up nothing again.
func (m *membership) refresh(l *link) {
	now := time.Now()
	if l.failing && !l.answers.Swap(false) {
		if !now.Before(l.retryAt) {
			l.retryAt = now.Add(retryPause)
			m.try(l)
		}
		return
	}
	err := m.register(l, now)
	if err == nil {
		err = m.look(l)
	}
	if err == nil {
		l.failing = false
		return
	}
	if !l.failing {
		m.cfg.Log.Warn("broker does not answer as it should", "broker", l.broker, "error", err)
	}
	m.dispatch.broken(l.address())
	l.failing, l.retryAt = true, now.Add(retryPause)
}

// try finds out, aside, whether a broker answers.
func (m *membership) try(l *link) {
	if !l.trying.CompareAndSwap(false, true) {
		return
	}
	m.tasks.Go(func() {
		defer l.trying.Store(false)
		ctx, cancel := m.call()
		defer cancel()
		if _, err := m.client.Members(ctx, l.address(), m.cfg.Group); err == nil {
			l.answers.Store(true)
			m.poke()
		}
	})
}

// register sends heartbeat and confirmation if they are due or the connection was lost.
func (m *membership) register(l *link, now time.Time) error {
	generation, intact := m.dispatch.generation(l)
	due := !now.Before(l.beatAt)
	if intact && !due {
		return nil
	}
	if due || l.registered != generation {
		ctx, cancel := m.call()
		defer cancel()
		if err := m.client.Heartbeat(ctx, l.address(), m.heartbeat()); err != nil {
			return err
		}
		l.beatAt, l.registered = now.Add(beatPeriod), generation
		if !intact {
			m.returned(l, time.Now())
		}
	}
	if time.Now().Before(l.settleAt) {
		return nil
	}
	return m.confirm(l, generation)
}

// returned decides how long to wait before taking locks at a broker that we were away from.
func (m *membership) returned(l *link, now time.Time) {
	switch {
	case l.viewAt.IsZero(): // a newcomer
		if l.settleAt.IsZero() {
			l.settleAt = now.Add(settle)
			l.claimAt = l.settleAt
			m.reroute() // the broker makes the retry topic at the first heartbeat
		}
	case now.Sub(l.viewAt) > memberGrace: // the others may think us dead; or the broker was away, and its members are still on their way back
		l.settleAt, l.claimAt = now.Add(settle), now.Add(memberGrace)
	}
}

// confirm renews our slot and the locks of all we hold at the broker.
func (m *membership) confirm(l *link, generation int) error {
	ctx, cancel := m.call()
	defer cancel()
	at := time.Now()
	ours, err := m.client.Lock(ctx, l.address(), m.cfg.Group, m.cfg.Instance, []rocketmq.Queue{m.slotQueue(l, m.slot)})
	if err != nil {
		return err
	}
	held := m.dispatch.held(l)
	if len(ours) == 0 {
		m.rejoin, held = true, nil
		m.cfg.Log.Error("leaving and joining again", "broker", l.broker, "error", errSlotTaken)
	}
	if len(held) > 0 {
		if held, err = m.client.Lock(ctx, l.address(), m.cfg.Group, lockName(m.cfg.Group, m.slot), held); err != nil {
			return err
		}
	}
	for _, q := range m.dispatch.confirm(l, generation, at, held) {
		m.lose(q)
	}
	return nil
}

// look reads the members.
func (m *membership) look(l *link) error {
	ctx, cancel := m.call()
	defer cancel()
	at := time.Now()
	members, err := m.client.Members(ctx, l.address(), m.cfg.Group)
	if err != nil {
		return err
	}
	l.members, l.viewAt = members, at
	if _, listed := slices.BinarySearch(members, m.id); !listed {
		l.beatAt = time.Time{}
	}
	return nil
}

func (m *membership) heartbeat() rocketmq.Heartbeat {
	return rocketmq.Heartbeat{
		ClientID: m.id,
		Consumers: []rocketmq.Membership{{
			Group: m.cfg.Group,
			Subscriptions: []rocketmq.Subscription{
				m.subscription(m.cfg.Topic), m.subscription(rocketmq.RetryTopic(m.cfg.Group)),
			},
		}},
	}
}

// startAnew leaves the group, to join it with another slot.
func (m *membership) startAnew() {
	m.unregister()
	m.slot, m.rejoin = -1, false
	for _, l := range m.links {
		m.dispatch.broken(l.address())
		l.viewAt, l.settleAt, l.claimAt = time.Time{}, time.Time{}, time.Time{}
	}
}

// unregister takes us out of the group at every broker and gives the slot back.
func (m *membership) unregister() {
	if m.slot < 0 {
		return // never joined
	}
	var all sync.WaitGroup
	for _, l := range m.links {
		all.Go(func() {
			ctx, cancel := m.call()
			defer cancel()
			err := m.client.Unregister(ctx, l.address(), m.id, m.cfg.Group)
			err = errors.Join(err, m.client.Unlock(ctx, l.address(), m.cfg.Group, m.cfg.Instance, []rocketmq.Queue{m.slotQueue(l, m.slot)}))
			if err != nil {
				m.cfg.Log.Warn("left without saying so", "broker", l.broker, "error", err)
			}
		})
	}
	all.Wait()
}

// lock is the name our locks are held under. It changes only while nothing is held.
func (m *membership) lock() string { return lockName(m.cfg.Group, m.slot) }

// reroute makes the loop read the routes at once.
func (m *membership) reroute() {
	m.stray.Store(true)
	m.poke()
}
