// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// passCalls is how many topics are read in one pass of every broker: those of dozens of groups every second, those of thousands in turns.
	passCalls = 80
	// ownCalls of them are at least for topics of groups, as far as these are due.
	ownCalls = 20
	// firstLooks are how many groups that were never counted have their topics read besides, and how many topics that never were: a group that is new says how many of its messages wait when it becomes Ready.
	firstLooks = 50
	// busyFor is how long a group is busy after something moved.
	busyFor = 10 * time.Second
)

// urgency of what was read before.
type urgency int

const (
	idle urgency = iota
	// busy: messages wait or move, or there are no pods and may have to be some.
	busy
	// leaving: a group goes when nothing waits.
	leaving
)

// need is how urgently a topic, or the two topics of a group, should be read.
type need struct {
	topic, group string // one of them
	// first was never read.
	first   bool
	urgency urgency
	// late, in the intervals that passed since the last time, decides among equals.
	late float64
}

// plan chooses the topics to be read in a pass: a few that never were, besides those that are most urgent or were read longest ago. ofGroups are the groups whose own topics are among them.
func (s *Sampler) plan(view *clusterView, now time.Time) (topics []string, ofGroups map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	main := make(map[string]need, len(view.topics))
	own := view.own[:0]
	for _, t := range view.targets {
		group := s.group(t.Name)
		is := group.urgency(t, now)
		topic, known := main[t.Topic]
		if !known {
			topic = need{topic: t.Topic, first: view.topics[t.Topic] == nil}
			if !topic.first {
				topic.late = now.Sub(view.topics[t.Topic].read).Seconds()
			}
		}
		topic.urgency = max(topic.urgency, is)
		main[t.Topic] = topic
		interval := quietInterval
		if is == leaving || now.Sub(group.active) < quietAfter {
			interval = groupTopicInterval
		}
		if late := now.Sub(group.ownTopics).Seconds() / interval.Seconds(); late >= 1 {
			n := need{group: t.Group, first: group.ownTopics.IsZero(), late: late}
			if interval < quietInterval {
				n.urgency = max(is, busy)
			}
			own = append(own, n)
		}
	}
	view.own = own
	return choose(slices.Collect(maps.Values(main)), own, view.firsts)
}

func (g *groupView) urgency(t Target, now time.Time) urgency {
	switch {
	case t.Leaving:
		return leaving
	case t.Pods.Ready == 0, now.Sub(g.active) < busyFor:
		return busy
	}
	return idle
}

// choose takes as many as a pass can read, and at most firsts groups and topics that never were.
func choose(main, own []need, firsts int) (topics []string, ofGroups map[string]bool) {
	newTopics, known := divide(main)
	newGroups, counted := divide(own)
	counted = mostUrgent(counted, max(passCalls-len(known), ownCalls)/2)
	known = mostUrgent(known, passCalls-2*len(counted))
	ofGroups = map[string]bool{}
	for _, n := range slices.Concat(mostUrgent(newGroups, firsts), counted) {
		topics, ofGroups[n.group] = append(topics, n.topics()...), true
	}
	for _, n := range slices.Concat(mostUrgent(newTopics, firsts), known) {
		topics = append(topics, n.topic)
	}
	return topics, ofGroups
}

// divide orders the list, those that were never read first, and returns these and the others.
func divide(list []need) (never, known []need) {
	n := 0
	for i := range list {
		if list[i].first {
			list[n], list[i] = list[i], list[n]
			n++
		}
	}
	return list[:n], list[n:]
}

// mostUrgent returns n of them, if there are as many. A quarter go by when they were read alone: however many are busy, all others have their turn.
func mostUrgent(list []need, n int) []need {
	if n = min(n, len(list)); n == len(list) {
		return list
	}
	slices.SortFunc(list, func(a, b need) int { return cmp.Or(cmp.Compare(b.urgency, a.urgency), cmp.Compare(b.late, a.late)) })
	slices.SortFunc(list[n-n/4:], func(a, b need) int { return cmp.Compare(b.late, a.late) })
	return list[:n]
}

func (n need) topics() []string {
	if n.group != "" {
		return []string{rocketmq.RetryTopic(n.group), rocketmq.DeadLetterTopic(n.group)}
	}
	return []string{n.topic}
}
