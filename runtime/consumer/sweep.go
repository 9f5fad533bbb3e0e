// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Sweep ends messages that wait, parked ones too, with the outcome that says yes to them, without handing them out. It looks at what is fetched now; it does
// not wait for what the outcome asks of the broker.
//
// It counts as no start: a release does not run all that lies below what was swept, which may be a whole window, in the time there is for what runs already.
// So what was swept comes again at the next owner, if something below it is unfinished when its queue moves.
func (c *Consumer) Sweep(judge func(*rocketmq.Message) (outcome.Outcome, bool)) {
	d := c.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	now := time.Now()
	for _, q := range d.queues {
		if q.phase != live || !q.covered(now) {
			continue
		}
		for seq := q.window.start; seq < q.window.end; seq++ {
			p := q.window.at(seq)
			if p.state != waiting || p.message.Err != nil {
				continue
			}
			if o, yes := judge(p.message); yes {
				t := d.withdraw(q, seq)
				c.tasks.Go(func() { c.conclude(t, o) })
			}
		}
	}
}
