// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// noting counts what an observer is told.
type noting struct {
	Unobserved
	mu     sync.Mutex
	counts map[string]int
}

func (n *noting) observe(cfg *Config) { cfg.Observer = n }

func (n *noting) add(what string, by int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.counts == nil {
		n.counts = map[string]int{}
	}
	n.counts[what] += by
}

func (n *noting) count(what string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts[what]
}

func (n *noting) Pulled(s rocketmq.PullStatus, _ int) { n.add(s.String(), 1) }
func (n *noting) PullFailed(error)                    { n.add("PullFailed", 1) }
func (n *noting) Committed(messages int)              { n.add("Committed", messages) }
func (n *noting) OffsetMissing(rocketmq.Queue)        { n.add("OffsetMissing", 1) }
func (n *noting) Dropped(r outcome.Reason)            { n.add("Dropped "+string(r), 1) }
func (n *noting) OrderViolated(messages int)          { n.add("OrderViolated", messages) }

func (n *noting) Jumped(j Jump) {
	if j.Cause == worker.JumpDeleted {
		n.add("MessagesLost", int(j.To-j.From))
		return
	}
	n.add(string(j.Cause), 1)
}
func (n *noting) Parked(r outcome.Reason) { n.add("Parked "+string(r), 1) }
func (n *noting) Probing()                { n.add("Probing", 1) }
func (n *noting) Resumed(time.Duration)   { n.add("Resumed", 1) }
func (n *noting) SendBackFailed(error)    { n.add("SendBackFailed", 1) }
func (n *noting) DeadLetterFailed(error)  { n.add("DeadLetterFailed", 1) }
func (n *noting) Finished(k outcome.Kind, r outcome.Reason) {
	n.add("Finished "+k.String()+" "+string(r), 1)
}
