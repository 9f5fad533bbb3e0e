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
	// firstCalls are, besides, for topics of groups that were never counted, as far as there are any: a group that is new says how many of its messages wait when it becomes Ready.
	firstCalls = 2 * passCalls
	// busyFor is how long a group is busy after something moved.
	busyFor = 10 * time.Second
)

// need is how urgently a topic, or the two topics of a group, should be read.
type need struct {
	topic, group string // one of them
	// first was never read for a group, and goes before what was; so does busy before what is not; late, in the intervals that passed since the last time, decides among equals.
	first, busy bool
	late        float64
}

// plan chooses the topics to be read in a pass. Those never read for a group go first, then those with a group for which messages wait or move, or which has no pods and may have to get one, or is about to
// go, and then those read longest ago. ofGroups are the groups whose own topics are among them.
func (s *Sampler) plan(view *clusterView, now time.Time) (topics []string, ofGroups map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	main := make(map[string]need, len(view.topics))
	own := view.own[:0]
	for _, t := range view.targets {
		group := s.group(t.Name)
		busy := t.Leaving || t.Pods.Ready == 0 || now.Sub(group.active) < busyFor
		topic, is := main[t.Topic]
		if !is {
			var read time.Time
			if known := view.topics[t.Topic]; known != nil {
				read = known.read
			}
			topic = need{topic: t.Topic, late: now.Sub(read).Seconds()}
		}
		topic.first, topic.busy = topic.first || group.ownTopics.IsZero(), topic.busy || busy
		main[t.Topic] = topic
		interval := quietInterval
		if t.Leaving || now.Sub(group.active) < quietAfter {
			interval = groupTopicInterval
		}
		if late := now.Sub(group.ownTopics).Seconds() / interval.Seconds(); late >= 1 {
			own = append(own, need{group: t.Group, first: group.ownTopics.IsZero(), busy: interval < quietInterval, late: late})
		}
	}
	view.own = own
	return choose(main, own)
}

// choose takes as many as a pass can read.
func choose(main map[string]need, own []need) (topics []string, ofGroups map[string]bool) {
	needs := slices.Collect(maps.Values(main))
	first := 0
	for _, n := range own {
		if n.first {
			first += len(n.topics())
		}
	}
	first = min(first, firstCalls)
	ofGroups = map[string]bool{}
	for _, n := range mostUrgent(own, (first+max(passCalls-len(needs), ownCalls))/2) {
		topics, ofGroups[n.group] = append(topics, n.topics()...), true
	}
	for _, n := range mostUrgent(needs, first+passCalls-len(topics)) {
		topics = append(topics, n.topic)
	}
	return topics, ofGroups
}

// mostUrgent returns n of them, if there are as many. A quarter go by when they were read alone: however many are busy, all others have their turn.
func mostUrgent(list []need, n int) []need {
	if n = min(n, len(list)); n == len(list) {
		return list
	}
	slices.SortFunc(list, func(a, b need) int {
		return cmp.Or(cmp.Compare(b2i(b.first), b2i(a.first)), cmp.Compare(b2i(b.busy), b2i(a.busy)), cmp.Compare(b.late, a.late))
	})
	slices.SortFunc(list[n-n/4:], func(a, b need) int { return cmp.Compare(b.late, a.late) })
	return list[:n]
}

func (n need) topics() []string {
	if n.group != "" {
		return []string{rocketmq.RetryTopic(n.group), rocketmq.DeadLetterTopic(n.group)}
	}
	return []string{n.topic}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
