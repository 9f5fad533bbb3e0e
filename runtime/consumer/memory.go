// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import "github.com/orderflow-dev/orderflow/internal/rocketmq"

// reply is what the messages of one pull hold in memory together, until the last of them is finished: their bodies are parts of one buffer.
type reply struct {
	bytes      int
	unfinished int
}

// messageOverhead is about what a message takes beside its body and its properties.
const messageOverhead = 400

// weigh returns about how many bytes messages hold.
func weigh(messages []rocketmq.Message) int {
	n := messageOverhead * len(messages)
	for i := range messages {
		n += messages[i].Size()
	}
	return n
}

// crammed reports whether the queue has to wait until others, or itself, have let go of memory. One that holds nothing never has to: a broker that is
// away must not stop the queues of the others by what it left behind. d.mu is held.
func (d *dispatcher) crammed(q *queue) bool { return d.bytes >= d.budget && q.window.bytes > 0 }

// free notes that a queue let go of so much. d.mu is held.
func (d *dispatcher) free(bytes int) {
	crammed := d.bytes >= d.budget
	if d.bytes -= bytes; !crammed || d.bytes >= d.budget {
		return
	}
	for _, q := range d.queues {
		q.wake()
	}
}
