// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"fmt"
	"slices"
	"testing"
)

// mains are n topics, of which one was read longer ago than all others.
func mains(n, oldest int) []need {
	topics := make([]need, n)
	for i := range n {
		topics[i] = need{topic: fmt.Sprintf("topic-%d", i), late: 1}
		if i == oldest {
			topics[i].late = 9
		}
	}
	return topics
}

func TestAPassReadsWhatIsMostUrgent(t *testing.T) {
	own := func(n int) (list []need) {
		for i := range n {
			list = append(list, need{group: fmt.Sprint(i), late: 1})
		}
		return list
	}
	t.Run("few topics are read in every pass", func(t *testing.T) {
		if got, _ := choose(mains(20, 0), nil, firstLooks); len(got) != 20 {
			t.Errorf("%d of 20 topics are read", len(got))
		}
	})
	t.Run("many take turns", func(t *testing.T) {
		got, _ := choose(mains(1000, 777), own(5000), firstLooks)
		if len(got) != passCalls {
			t.Errorf("%d topics are read, want %d", len(got), passCalls)
		}
		if got[ownCalls] != "topic-777" {
			t.Errorf("after those of groups %s is read first, want the one that was read longest ago", got[ownCalls])
		}
	})
	t.Run("a busy one goes first, however long the others wait", func(t *testing.T) {
		list := mains(1000, 777)
		list[3].urgency = busy
		if got, _ := choose(list, nil, firstLooks); got[0] != "topic-3" {
			t.Errorf("%s is read first", got[0])
		}
	})
	t.Run("a quarter of the calls go round, however many are busy", func(t *testing.T) {
		list := mains(1000, 777)
		for i := range 500 {
			list[i].urgency = busy
		}
		got, _ := choose(list, nil, firstLooks)
		if len(got) != passCalls || !slices.Contains(got, "topic-777") {
			t.Errorf("topic-777, which was read longest ago, is not among the %d that are read", len(got))
		}
	})
	t.Run("what was never read has calls besides, and takes none of the others'", func(t *testing.T) {
		list, groups := mains(6000, 777), own(6000)
		for i := 1000; i < len(list); i++ {
			list[i].first, groups[i].first = true, true
		}
		list[3].urgency = busy
		got, counted := choose(list, groups, firstLooks)
		if len(got) != passCalls+3*firstLooks || len(counted) != firstLooks+ownCalls/2 || !slices.Contains(got, "topic-3") || !slices.Contains(got, "topic-777") {
			t.Errorf("%d topics are read, of %d groups, with topic-3 and topic-777: %t, %t", len(got), len(counted), slices.Contains(got, "topic-3"), slices.Contains(got, "topic-777"))
		}
		if got, counted = choose(list, groups, 0); len(got) != passCalls || len(counted) != ownCalls/2 {
			t.Errorf("after a pass that failed %d topics are read, of %d groups", len(got), len(counted))
		}
	})
	t.Run("who is about to go is before who is busy", func(t *testing.T) {
		list := mains(1000, 777)
		for i := range 500 {
			list[i].urgency = busy
		}
		list[499].urgency = leaving
		if got, _ := choose(list, nil, firstLooks); got[0] != "topic-499" {
			t.Errorf("%s is read first", got[0])
		}
	})
	t.Run("groups' own topics use what the others leave", func(t *testing.T) {
		if got, _ := choose(mains(20, 0), own(5000), firstLooks); len(got) != passCalls {
			t.Errorf("%d topics are read, want %d", len(got), passCalls)
		}
	})
}
