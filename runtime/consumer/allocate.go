// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"slices"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// allocate returns the queues of one topic that fall to me: contiguous runs of equal length, the first members one longer where the division leaves a
// rest. It is what the Java and Go clients call AllocateMessageQueueAveragely, so that members of either kind divide a topic alike. Queues and members
// are sorted; nil if I am no member.
func allocate(queues []rocketmq.Queue, members []string, me string) []rocketmq.Queue {
	i, listed := slices.BinarySearch(members, me)
	if !listed {
		return nil
	}
	share, rest := len(queues)/len(members), len(queues)%len(members)
	from := i*share + min(i, rest)
	to := from + share
	if i < rest {
		to++
	}
	return queues[from:to]
}
