// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"fmt"
	"slices"
	"testing"
)

// mains are n topics, of which one was read longer ago than all others.
func mains(n, oldest int) map[string]need {
	topics := map[string]need{}
	for i := range n {
		topic := fmt.Sprintf("topic-%d", i)
		topics[topic] = need{topic: topic, late: 1}
		if i == oldest {
			topics[topic] = need{topic: topic, late: 9}
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
		if got, _ := choose(mains(20, 0), nil); len(got) != 20 {
			t.Errorf("%d of 20 topics are read", len(got))
		}
	})
	t.Run("many take turns", func(t *testing.T) {
		got, _ := choose(mains(1000, 777), own(5000))
		if len(got) != passCalls {
			t.Errorf("%d topics are read, want %d", len(got), passCalls)
		}
		if got[ownCalls] != "topic-777" {
			t.Errorf("after those of groups %s is read first, want the one that was read longest ago", got[ownCalls])
		}
	})
	t.Run("a busy one goes first, however long the others wait", func(t *testing.T) {
		list := mains(1000, 777)
		list["topic-3"] = need{topic: "topic-3", late: 1, busy: true}
		if got, _ := choose(list, nil); got[0] != "topic-3" {
			t.Errorf("%s is read first", got[0])
		}
	})
	t.Run("a quarter of the calls go round, however many are busy", func(t *testing.T) {
		list := mains(1000, 777)
		for i := range 500 {
			topic := fmt.Sprintf("topic-%d", i)
			list[topic] = need{topic: topic, late: 1, busy: true}
		}
		got, _ := choose(list, nil)
		if len(got) != passCalls || !slices.Contains(got, "topic-777") {
			t.Errorf("topic-777, which was read longest ago, is not among the %d that are read", len(got))
		}
	})
	t.Run("groups that were never counted have calls besides, before busy ones", func(t *testing.T) {
		list := own(5000)
		list[7].busy = true
		for i := 100; i < 400; i++ {
			list[i].first = true
		}
		got, groups := choose(mains(1000, 777), list)
		if len(got) != passCalls+firstCalls || len(groups) != (firstCalls+ownCalls)/2 || groups["7"] {
			t.Errorf("%d topics are read, of %d groups, 7 among them: %t", len(got), len(groups), groups["7"])
		}
	})
	t.Run("groups' own topics use what the others leave", func(t *testing.T) {
		if got, _ := choose(mains(20, 0), own(5000)); len(got) != passCalls {
			t.Errorf("%d topics are read, want %d", len(got), passCalls)
		}
	})
}
