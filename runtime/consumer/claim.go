// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"cmp"
	"fmt"
	"hash/fnv"
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
	got, err := m.client.Lock(ctx, l.address(), m.cfg.Group, lockName(m.cfg.Group, m.slot), queues)
	if err != nil {
		m.cfg.Log.Warn("cannot take queues", "broker", l.broker, "error", err)
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
		m.cfg.Log.Info("queue gained", "queue", id.String())
		m.tasks.Go(func() { m.fetch(q) })
	}
	return missing
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
	ctx, cancel := m.call()
	defer cancel()
	var all sync.WaitGroup
	for _, name := range dead {
		if time.Since(asOf) >= stale {
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

// lose drops a queue that is another's now. Handlers run on, their results are of no consequence.
func (m *membership) lose(q *queue) {
	m.dispatch.forget(q)
	q.stopFetch()
	m.cfg.Observer.QueueLost(q.id)
	m.cfg.Log.Warn("queue lost: what was not committed comes again elsewhere", "queue", q.id.String())
}

// slotQueue is the pseudo queue whose lock is a slot.
func (m *membership) slotQueue(l *link, slot int) rocketmq.Queue {
	return rocketmq.Queue{Topic: slotTopic(m.cfg.Group), Broker: l.broker, ID: slot}
}

// takeSlot finds a slot that is free at every broker that can be reached, one at least. Where the search begins depends on the instance, so that one
// that comes back gets the slot, and thus the locks, it had.
func (m *membership) takeSlot() error {
	reachable, used, err := m.listedSlots()
	if len(reachable) == 0 {
		return cmp.Or(err, fmt.Errorf("the topic %s has no route yet", m.cfg.Topic))
	}
	h := fnv.New32a()
	h.Write([]byte(m.cfg.Instance))
	first := int(h.Sum32() % slots)
	for i := range slots {
		slot := (first + i) % slots
		if used[slot] {
			continue
		}
		free, err := m.lockSlot(reachable, slot)
		if err != nil {
			return err
		}
		if free {
			m.slot, m.id = slot, clientID(m.cfg.Instance, slot)
			m.census = newCensus(time.Now())
			m.cfg.Log.Info("joining the group", "group", m.cfg.Group, "member", m.id)
			return nil
		}
	}
	return fmt.Errorf("all %d slots of group %s are taken", slots, m.cfg.Group)
}

// listedSlots asks every broker for the slots in use.
func (m *membership) listedSlots() (reachable []*link, used map[int]bool, err error) {
	used = map[int]bool{}
	for _, l := range m.links {
		ctx, cancel := m.call()
		members, failure := m.client.Members(ctx, l.address(), m.cfg.Group)
		cancel()
		if failure != nil {
			err = failure
			continue
		}
		reachable = append(reachable, l)
		for _, id := range members {
			if slot := slotOf(id); slot >= 0 && id != clientID(m.cfg.Instance, slot) {
				used[slot] = true
			}
		}
	}
	return reachable, used, err
}

// lockSlot takes a slot at all of the brokers, or at none.
func (m *membership) lockSlot(links []*link, slot int) (bool, error) {
	ctx, cancel := m.call()
	defer cancel()
	for i, l := range links {
		held, err := m.client.Lock(ctx, l.address(), m.cfg.Group, m.cfg.Instance, []rocketmq.Queue{m.slotQueue(l, slot)})
		if err == nil && len(held) == 1 {
			continue
		}
		for _, l := range links[:i] {
			if err := m.client.Unlock(ctx, l.address(), m.cfg.Group, m.cfg.Instance, []rocketmq.Queue{m.slotQueue(l, slot)}); err != nil {
				return false, err
			}
		}
		return false, err
	}
	return true, nil
}
