// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"cmp"
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// settlePatience is for how long a newcomer may wait for its queues: longer than a clean hand-over lasts, or one from who has crashed.
const settlePatience = 30 * time.Second

// Snapshot is the state of a consumer at one moment.
type Snapshot struct {
	// Ready: the consumer is a member of the group, and stays one. It may own no queue.
	Ready bool
	// Settled: whatever queues fell to it since it joined were once all taken; or it has waited for them for settlePatience, as another may hold one for long.
	Settled bool
	// ClientID is the member's id, "" before it has one.
	ClientID string
	// Queues are those held, by topic, broker and id.
	Queues []QueueSnapshot
	// InFlight is how many messages are handed out.
	InFlight int
	// Bytes are about what messages that are fetched and not finished hold in memory.
	Bytes int
	// Parked says that nothing, or only a probe, is handed out, since when and why.
	Parked       bool
	ParkedSince  time.Time
	ParkedReason outcome.Reason
	// Probe is the last one, while the consumer is parked.
	Probe Probe
	// Suspended is why the consumer is suspended, which is a way of being parked; "": it is not. Draining: something runs yet, or is to run on.
	Suspended outcome.Reason
	Draining  bool
	// ClockSkew is that of the consumer's method.
	ClockSkew time.Duration
}

// QueueSnapshot is the state of one queue.
type QueueSnapshot struct {
	Queue rocketmq.Queue
	// OffsetMissing: the group has no committed offset; the queue is held until it has one.
	OffsetMissing bool
	// Releasing: it is being handed over.
	Releasing bool
	// Committed is the offset the broker has, Next the offset to fetch next.
	Committed, Next int64
	// Waiting messages are fetched and not handed out; InFlight are handed out; Done are finished, and come again after a crash; Uncommitted are all that do.
	Waiting, InFlight, Done, Uncommitted int
}

// Snapshot returns the state as of now. It does not wait for any call.
func (c *Consumer) Snapshot() Snapshot {
	d := c.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	s := Snapshot{Ready: d.member, ClientID: d.id, InFlight: d.running, Bytes: d.bytes, ClockSkew: c.ClockSkew()}
	s.Settled = d.settled || !d.joinedAt.IsZero() && now.Sub(d.joinedAt) >= settlePatience
	if d.gate.state != flowing {
		s.Parked, s.ParkedSince, s.ParkedReason, s.Probe = true, d.gate.since, d.gate.reason, d.gate.failing
	}
	if d.suspension.holds() {
		s.Parked, s.ParkedSince, s.ParkedReason = true, d.suspension.since, d.suspension.reason
		s.Suspended, s.Draining = d.suspension.reason, d.running > 0
	}
	for id, q := range d.queues {
		s.Draining = s.Draining || s.Suspended != "" && d.runsOn(q, now)
		s.Queues = append(s.Queues, QueueSnapshot{
			Queue: id, OffsetMissing: q.missing, Releasing: q.phase >= releasing,
			Committed: q.window.committed, Next: q.window.next,
			Waiting: q.window.waiting + q.window.blocked(), InFlight: q.running, Done: q.window.done, Uncommitted: q.window.uncommitted(),
		})
	}
	slices.SortFunc(s.Queues, func(a, b QueueSnapshot) int {
		return cmp.Or(cmp.Compare(a.Queue.Topic, b.Queue.Topic), cmp.Compare(a.Queue.Broker, b.Queue.Broker), cmp.Compare(a.Queue.ID, b.Queue.ID))
	})
	return s
}
