// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// refreshLinks brings what is known of each broker, and what each knows of us, up to date.
func (m *membership) refreshLinks() {
	var all sync.WaitGroup
	for _, l := range m.links {
		all.Go(func() { m.refresh(l) })
	}
	all.Wait()
	for _, l := range m.links {
		m.rejoin = m.rejoin || l.refused
		l.refused = false
	}
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

// returned decides how long to wait before taking locks at a broker that we were away from. What it has is read anew meanwhile: at the first heartbeat it
// makes the retry topic, and name servers leave out a broker that is away.
func (m *membership) returned(l *link, now time.Time) {
	switch {
	case l.viewAt.IsZero(): // a newcomer
		if !l.settleAt.IsZero() {
			return
		}
		l.settleAt = now.Add(settle)
		l.claimAt = l.settleAt
	case now.Sub(l.viewAt) > memberGrace: // the others may think us dead; or the broker was away, and its members are still on their way back
		l.settleAt, l.claimAt = now.Add(settle), now.Add(memberGrace)
		l.absent = true
	default: // the broker may have been away itself, and have forgotten locks, and offsets that it had not written yet
		l.claimAt, l.absent = now.Add(memberGrace), true
		return
	}
	m.reroute()
}

// confirm renews our slot and the locks of all we hold at the broker.
func (m *membership) confirm(l *link, generation int) error {
	ctx, cancel := m.call()
	defer cancel()
	at := time.Now()
	if m.broadcasts() { // nothing is ours alone
		m.dispatch.confirm(l, generation, at, m.dispatch.held(l))
		return nil
	}
	ours, err := m.client.Lock(ctx, l.address(), m.cfg.Group, m.cfg.Instance, []rocketmq.Queue{m.slotQueue(l, m.slot)})
	if err != nil {
		return err
	}
	var held []rocketmq.Queue
	if len(ours) == 0 {
		l.refused = true
		m.cfg.Log.Error("leaving and joining again", "broker", l.broker, "error", errSlotTaken)
	} else if held, err = m.renew(ctx, l); err != nil {
		return err
	} else if err = m.verify(l, at, held); err != nil {
		return err
	}
	for _, q := range m.dispatch.confirm(l, generation, at, held) {
		m.lost(q)
	}
	l.absent = false
	return nil
}

// verify gives up those of the queues just locked that were another's while our lock was not certain: then the group's offset is higher than what we
// committed last. They are read anew. A lower offset, or none, is one that a broker has lost: what was committed is kept on disk every 5 s only.
func (m *membership) verify(l *link, at time.Time, held []rocketmq.Queue) error {
	for _, q := range m.dispatch.uncertain(l, at, held) {
		ctx, cancel := m.call()
		offset, err := m.client.QueryOffset(ctx, l.address(), m.cfg.Group, q.id)
		cancel()
		if isMissing(err) {
			offset, err = unknown, nil
		}
		if err != nil {
			return err
		}
		if m.dispatch.dispossess(q, offset) {
			m.lost(q)
		}
	}
	return nil
}

// renew renews the locks of all we hold at the broker, and returns those that are ours still.
func (m *membership) renew(ctx context.Context, l *link) ([]rocketmq.Queue, error) {
	l.renewing <- struct{}{} // who gives a lock back only waits for us here
	defer func() { <-l.renewing }()
	held := m.dispatch.held(l)
	if len(held) == 0 {
		return nil, nil
	}
	return m.client.Lock(ctx, l.address(), m.cfg.Group, m.lock(), held)
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
	if m.broadcasts() {
		return rocketmq.Heartbeat{ClientID: m.id, Consumers: []rocketmq.Membership{{
			Group: m.cfg.Group, Model: "BROADCASTING", From: "CONSUME_FROM_LAST_OFFSET", Subscriptions: []rocketmq.Subscription{m.subscription(m.cfg.Topic)},
		}}}
	}
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
			if !m.broadcasts() {
				err = errors.Join(err, m.client.Unlock(ctx, l.address(), m.cfg.Group, m.cfg.Instance, []rocketmq.Queue{m.slotQueue(l, m.slot)}))
			}
			if err != nil {
				m.cfg.Log.Warn("left without saying so", "broker", l.broker, "error", err)
			}
		})
	}
	all.Wait()
}
