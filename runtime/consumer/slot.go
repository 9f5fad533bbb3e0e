// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// slots is how many members of a group can hold locks.
//
// Locks are held under the name of a slot, not of the pod: after a crash of all members nobody would know the dead pods' names, and their locks would
// stand for a minute; slots can be counted through. A member takes a slot by locking a pseudo queue (the broker checks neither topic nor group) and
// shows it as the end of its client id.
const slots = 128

// slotTopic is the topic of the pseudo queues that stand for slots.
func slotTopic(group string) string { return "%OWN%" + group }

// lockName is the name a slot's locks are held under.
func lockName(group string, slot int) string { return group + "#" + strconv.Itoa(slot) }

// clientID is the id of the member that has the slot.
func clientID(instance string, slot int) string { return instance + "#" + strconv.Itoa(slot) }

// slotOf is the slot a client id shows, -1 for a member of another kind.
func slotOf(id string) int {
	at := strings.LastIndexByte(id, '#')
	if at < 0 {
		return -1
	}
	slot, err := strconv.Atoi(id[at+1:])
	if err != nil || slot < 0 || slot >= slots {
		return -1
	}
	return slot
}

// slotQueue is the pseudo queue whose lock is a slot.
func (m *membership) slotQueue(l *link, slot int) rocketmq.Queue {
	return rocketmq.Queue{Topic: slotTopic(m.cfg.Group), Broker: l.broker, ID: slot}
}

// takeSlot finds a slot that is free at every broker that can be reached, one at least. Where the search begins depends on the instance, so that one
// that comes back gets the slot, and thus the locks, it had.
func (m *membership) takeSlot() error {
	if m.broadcasts() {
		return m.joinAll()
	}
	reachable, used, err := m.listedSlots()
	if len(reachable) == 0 {
		return cmp.Or(err, fmt.Errorf("the topic %s has no route yet", m.cfg.Topic))
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(m.cfg.Instance)) // a hash takes everything
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
			m.settledAt = time.Now()
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

// startAnew leaves the group, to join it with another slot.
func (m *membership) startAnew() {
	m.unregister()
	m.slot, m.rejoin = -1, false
	for _, l := range m.links {
		m.dispatch.broken(l.address())
		l.viewAt, l.settleAt, l.claimAt = time.Time{}, time.Time{}, time.Time{}
		l.doubtful = nil // the slot, and what is locked under its name, is another's
	}
}

// lock is the name our locks are held under. It changes only while nothing is held.
func (m *membership) lock() string { return lockName(m.cfg.Group, m.slot) }
