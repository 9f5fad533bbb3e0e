// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// averagely is what the Java client's AllocateMessageQueueAveragely computes, step by step as it does.
func averagely(queues []rocketmq.Queue, members []string, me string) []rocketmq.Queue {
	index := -1
	for i, id := range members {
		if id == me {
			index = i
		}
	}
	if index < 0 {
		return nil
	}
	mod := len(queues) % len(members)
	var averageSize int
	switch {
	case len(queues) <= len(members):
		averageSize = 1
	case mod > 0 && index < mod:
		averageSize = len(queues)/len(members) + 1
	default:
		averageSize = len(queues) / len(members)
	}
	startIndex := index*averageSize + mod
	if mod > 0 && index < mod {
		startIndex = index * averageSize
	}
	size := min(averageSize, len(queues)-startIndex)
	var result []rocketmq.Queue
	for i := range size {
		result = append(result, queues[(startIndex+i)%len(queues)])
	}
	return result
}

func TestQueuesAreDividedAsTheJavaClientDividesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var queues []rocketmq.Queue
		for id := range rapid.IntRange(0, 70).Draw(t, "queues") {
			queues = append(queues, rocketmq.Queue{Topic: "T", Broker: "b", ID: id})
		}
		var members []string
		for i := range rapid.IntRange(1, 80).Draw(t, "members") {
			members = append(members, fmt.Sprintf("m%03d", i))
		}
		taken := 0
		for _, me := range members {
			got, want := allocate(queues, members, me), averagely(queues, members, me)
			if len(got)+len(want) > 0 && !cmp.Equal(got, want) {
				t.Fatalf("%s of %d gets %v of %d queues, Java gives it %v", me, len(members), got, len(queues), want)
			}
			taken += len(got)
		}
		if taken != len(queues) {
			t.Fatalf("%d of %d queues are given to somebody", taken, len(queues))
		}
		if got := allocate(queues, members, "stranger"); got != nil {
			t.Fatalf("who is no member gets %v", got)
		}
	})
}
