// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"maps"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// window over which arrivals are averaged.
	window = 30 * time.Second
	// arrivalTime that has to be seen before an arrival rate is known.
	arrivalTime = 10 * time.Second
	// rateWindow is how much busy time makes up the rate per replica: the newest.
	rateWindow = 30 * time.Second
	// rateTime is the busy time that has to be seen before the rate per replica is known.
	rateTime = 5 * time.Second
)

// Position is where a group stands in one queue.
type Position struct {
	// Min and Max: the queue holds the offsets [Min, Max).
	Min, Max int64
	// Committed is the offset of the next message to be handled. Negative: the group has no offset.
	Committed int64
	// Newest is when the broker stored the last message, in milliseconds since 1970. 0: not known.
	Newest int64
}

// waiting is the number of messages the group has yet to handle. What the broker dropped by age is not waiting any more.
func (p Position) waiting() int64 {
	if p.Committed < 0 {
		return 0
	}
	return max(p.Max-max(p.Committed, p.Min), 0)
}

// Look is one look at a group.
type Look struct {
	Time time.Time
	// Queues of the topic and of the group's retry topic.
	Queues map[rocketmq.Queue]Position
	// Pods as they are at that time.
	Pods Pods
}

// Pods is what is known of a group's pods, to learn from.
type Pods struct {
	// Ready pods.
	Ready int32
	// Hold is how many messages the ready pods can have in their hands; fewer than that waiting teach nothing.
	Hold int64
	// Parked: a pod hands out no message.
	Parked bool
}

// Signals is what is known of a group.
type Signals struct {
	// Time of the look they are from. Since when the brokers answer again and again, and Asked is when they did last: among thousands a group for which nothing moves has to wait for the next look.
	Time, Since, Asked time.Time
	// Retries is when the group's retries and dead letters were counted last.
	Retries time.Time
	// Lag is the number of messages to be handled, retries included; Retry is the part that was tried before.
	Lag, Retry int64
	// Queues of the topic over all brokers. 0: not known.
	Queues int32
	// Unseeded: a queue has no committed offset.
	Unseeded bool
	// ArrivalKnown says that ArrivalRate, in messages per second, is known.
	ArrivalKnown bool
	ArrivalRate  float64
	// RatePerReplica is the messages per second one pod handles while messages wait. 0: not known.
	RatePerReplica float64
	// DeadLetters in the group's dead-letter topic. Negative: not known.
	DeadLetters int64
}

// Committed is an offset, and when it was seen.
type Committed struct {
	Offset int64
	At     time.Time
}

// Fresh reports whether the brokers have answered lately, but for one pass, and ever since the look that the signals are from, which then are as new as can be.
func (s Signals) Fresh(now time.Time) bool {
	return !s.Time.IsZero() && !s.Time.Before(s.Since) && now.Sub(s.Asked) < unanswered+lookTimeout
}

// span is what happened between two looks.
type span struct {
	end    time.Time
	length time.Duration
	count  int64
}

// History is the last looks at one group. The zero value is empty and ready.
type History struct {
	last     Look
	arrivals []span // newest last, of the last window
	busy     []span // handled by one pod while messages waited; length is pod time
	lost     map[rocketmq.Queue]Committed
}

// Add takes a look in. Looks come in the order of their time; one that does not is left out.
func (h *History) Add(look Look) {
	before := h.last
	length := look.Time.Sub(before.Time)
	if !before.Time.IsZero() && length <= 0 {
		return
	}
	h.last = look
	if before.Time.IsZero() {
		return
	}
	h.lose(before)
	arrived, handled := difference(before.Queues, look.Queues)
	h.arrivals = append(h.arrivals, span{look.Time, length, arrived})
	for len(h.arrivals) > 0 && look.Time.Sub(h.arrivals[0].end) >= window {
		h.arrivals = h.arrivals[1:]
	}
	if teaches(before, look) {
		h.busy = append(h.busy, span{look.Time, length * time.Duration(look.Pods.Ready), handled})
		for len(h.busy) > 1 && total(h.busy[1:]).length >= rateWindow*time.Duration(look.Pods.Ready) {
			h.busy = h.busy[1:]
		}
	}
}

// lose remembers the offsets that were there before the last look and are not any more, with their topic or without, until there are others.
func (h *History) lose(before Look) {
	for q, then := range before.Queues {
		if now, there := h.last.Queues[q]; then.Committed >= 0 && (!there || now.Committed < 0) {
			if h.lost == nil {
				h.lost = map[rocketmq.Queue]Committed{}
			}
			h.lost[q] = Committed{Offset: then.Committed, At: before.Time}
		}
	}
	maps.DeleteFunc(h.lost, func(q rocketmq.Queue, _ Committed) bool {
		now, there := h.last.Queues[q]
		return there && now.Committed >= 0
	})
}

// teaches reports whether all ready pods had more than enough to do between the looks.
func teaches(before, after Look) bool {
	for _, look := range []Look{before, after} {
		if look.Pods.Ready == 0 || look.Pods.Ready != after.Pods.Ready || look.Pods.Parked || waiting(look.Queues) < look.Pods.Hold {
			return false
		}
	}
	return true
}

// difference counts what arrived and what was handled in the queues that both looks know.
func difference(before, after map[rocketmq.Queue]Position) (arrived, handled int64) {
	for q, now := range after {
		then, ok := before[q]
		if !ok {
			continue
		}
		arrived += max(now.Max-then.Max, 0)
		if then.Committed >= 0 {
			handled += max(now.Committed-then.Committed, 0) // an offset that was set back is not negative work
		}
	}
	return arrived, handled
}

func waiting(queues map[rocketmq.Queue]Position) (n int64) {
	for _, p := range queues {
		n += p.waiting()
	}
	return n
}

func total(spans []span) (sum span) {
	for _, s := range spans {
		sum.length += s.length
		sum.count += s.count
	}
	return sum
}

// Signals says what is known at the last look; what else there is the Sampler knows.
func (h *History) Signals() Signals {
	s := Signals{Time: h.last.Time, DeadLetters: -1}
	for q, p := range h.last.Queues {
		s.Lag += p.waiting()
		if rocketmq.IsRetry(q.Topic) {
			s.Retry += p.waiting()
		} else {
			s.Queues++
		}
		s.Unseeded = s.Unseeded || p.Committed < 0
	}
	if seen := total(h.arrivals); seen.length >= arrivalTime {
		s.ArrivalKnown, s.ArrivalRate = true, float64(seen.count)/seen.length.Seconds()
	}
	if seen := total(h.busy); seen.length >= rateTime && seen.count > 0 {
		s.RatePerReplica = float64(seen.count) / seen.length.Seconds()
	}
	return s
}
