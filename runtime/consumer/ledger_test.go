// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// ledger notes what handlers saw, of all members.
type ledger struct {
	mu      sync.Mutex
	events  []*event
	bodies  map[string]int
	members map[*member]int
	dead    map[*member]bool
	active  map[rocketmq.Queue]map[*member]int
	// twoOwners counts starts on a queue while another living member still worked on it.
	twoOwners int
}

// event is one message handed out.
type event struct {
	body       string
	member     *member
	queue      rocketmq.Queue
	offset     int64
	reconsumed int
	started    time.Time
	ended      time.Time
	kind       outcome.Kind // 0: not ended
	afterKill  bool
}

func newLedger() *ledger {
	return &ledger{bodies: map[string]int{}, members: map[*member]int{}, dead: map[*member]bool{}, active: map[rocketmq.Queue]map[*member]int{}}
}

func (l *ledger) start(x *member, m *rocketmq.Message) *event {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &event{body: trimmed(m.Body), member: x, queue: m.Queue, offset: m.Offset, reconsumed: m.Reconsumed, started: time.Now(), afterKill: l.dead[x]}
	if e.afterKill {
		return e
	}
	l.events = append(l.events, e)
	l.bodies[e.body]++
	l.members[x]++
	for other, n := range l.active[m.Queue] {
		if other != x && n > 0 && !l.dead[other] {
			l.twoOwners++
		}
	}
	if l.active[m.Queue] == nil {
		l.active[m.Queue] = map[*member]int{}
	}
	l.active[m.Queue][x]++
	return e
}

func (l *ledger) end(e *event, kind outcome.Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.afterKill || l.dead[e.member] {
		return
	}
	e.ended, e.kind = time.Now(), kind
	l.active[e.queue][e.member]--
}

// killed: what the member does from now on did not happen.
func (l *ledger) killed(x *member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead[x] = true
}

// tally sums up.
type tally struct {
	starts, unique, duplicates, twoOwners int
}

func (l *ledger) tally() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tally{starts: len(l.events), unique: len(l.bodies), duplicates: len(l.events) - len(l.bodies), twoOwners: l.twoOwners}
}

// by is how many messages the member started.
func (l *ledger) by(x *member) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.members[x]
}

// all returns a copy of the events.
func (l *ledger) all() []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []event
	for _, e := range l.events {
		events = append(events, *e)
	}
	return events
}

// handover is the longest time between the last work on a queue of the old owner and the first start by a new one, of changes after since.
func (l *ledger) handover(since time.Time) time.Duration {
	var longest time.Duration
	last := map[rocketmq.Queue]event{}
	for _, e := range l.all() {
		before, known := last[e.queue]
		if known && before.member != e.member && e.started.After(since) {
			from := before.ended
			if from.IsZero() {
				from = before.started
			}
			longest = max(longest, e.started.Sub(from))
		}
		last[e.queue] = e
	}
	return longest
}

func trimmed(body []byte) string {
	for i, b := range body {
		if b == ' ' {
			return string(body[:i])
		}
	}
	return string(body)
}
