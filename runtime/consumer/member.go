// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"maps"
	"slices"
	"time"
)

// census remembers since when members have been missing. The zero time stands for a member that is listed.
type census struct {
	slots  [slots]time.Time
	others map[string]time.Time // members of another kind: they hold locks under their ids
}

// newCensus begins with everybody missing from now on.
func newCensus(now time.Time) *census {
	c := &census{others: map[string]time.Time{}}
	for slot := range c.slots {
		c.slots[slot] = now
	}
	return c
}

// forgetAfter bounds for how long a vanished member of another kind is remembered; its locks have expired by then.
const forgetAfter = 90 * time.Second

// note takes down who is listed, in a list asked for at that time. A member is missing from the first list without it on, not from the last one with it:
// it may have been there until a moment ago, and knows only for how long it was cut off.
func (c *census) note(members []string, at time.Time) {
	var listed [slots]bool
	for id := range c.others {
		if c.others[id].IsZero() && !slices.Contains(members, id) {
			c.others[id] = at
		}
	}
	for _, id := range members {
		if slot := slotOf(id); slot >= 0 {
			listed[slot] = true
		} else {
			c.others[id] = time.Time{}
		}
	}
	for slot, here := range listed {
		switch {
		case here:
			c.slots[slot] = time.Time{}
		case c.slots[slot].IsZero():
			c.slots[slot] = at
		}
	}
	maps.DeleteFunc(c.others, func(_ string, since time.Time) bool { return !since.IsZero() && at.Sub(since) > forgetAfter })
}

// dead returns the names under which members that have been missing for the grace period may still hold locks.
func (c *census) dead(group string, now time.Time) []string {
	gone := func(since time.Time) bool { return !since.IsZero() && now.Sub(since) >= memberGrace }
	var names []string
	for slot, since := range c.slots {
		if gone(since) {
			names = append(names, lockName(group, slot))
		}
	}
	for id, since := range c.others {
		if gone(since) {
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
