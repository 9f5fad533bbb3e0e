// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"slices"
	"strconv"
	"strings"
	"time"
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

// census remembers when members were last listed.
type census struct {
	slots  [slots]time.Time
	others map[string]time.Time // members of another kind: they hold locks under their ids
}

// newCensus takes every slot for alive, as it may be.
func newCensus(now time.Time) *census {
	c := &census{others: map[string]time.Time{}}
	for slot := range c.slots {
		c.slots[slot] = now
	}
	return c
}

// forgetAfter bounds for how long a vanished member of another kind is remembered; its locks have expired by then.
const forgetAfter = 90 * time.Second

// note takes down who is listed now.
func (c *census) note(members []string, now time.Time) {
	for _, id := range members {
		if slot := slotOf(id); slot >= 0 {
			c.slots[slot] = now
		} else {
			c.others[id] = now
		}
	}
	for id, seen := range c.others {
		if now.Sub(seen) > forgetAfter {
			delete(c.others, id)
		}
	}
}

// dead returns the names under which members that were not listed for the grace period may still hold locks.
func (c *census) dead(group string, now time.Time) []string {
	var names []string
	for slot, seen := range c.slots {
		if now.Sub(seen) >= memberGrace {
			names = append(names, lockName(group, slot))
		}
	}
	for id, seen := range c.others {
		if now.Sub(seen) >= memberGrace {
			names = append(names, id)
		}
	}
	return names
}

// union returns the members listed by any broker, sorted. Lists of different brokers differ for a moment, and a broker that does not answer keeps its
// last list for the grace period; asOf is when the oldest list was asked for.
func union(links []*link, now time.Time) (members []string, asOf time.Time) {
	for _, l := range links {
		if l.viewAt.IsZero() || now.Sub(l.viewAt) > memberGrace {
			continue
		}
		members = append(members, l.members...)
		if asOf.IsZero() || l.viewAt.Before(asOf) {
			asOf = l.viewAt
		}
	}
	slices.Sort(members)
	return slices.Compact(members), asOf
}
