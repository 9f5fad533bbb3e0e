// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// provider is a third party that can be down: then messages come back parked until it is up again.
type provider struct {
	mu     sync.Mutex
	resume chan struct{} // nil: up
	took   time.Duration
}

func (p *provider) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resume = make(chan struct{})
}

func (p *provider) up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.resume)
	p.resume = nil
}

func (p *provider) handle(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
	p.mu.Lock()
	resume := p.resume
	p.mu.Unlock()
	if resume != nil {
		return outcome.ParkUntil(resume, "CircuitOpen", "")
	}
	return taking(p.took)(ctx, m)
}

// succeeded is how many messages were done, once and more than once.
func (l *ledger) succeeded() (messages, duplicates int) {
	seen := map[string]bool{}
	for _, e := range l.all() {
		if e.kind != outcome.Done {
			continue
		}
		if seen[e.body] {
			duplicates++
		}
		seen[e.body] = true
	}
	return len(seen), duplicates
}

// outage is the story of a provider that is down for so long, while members join and leave.
func outage(t *testing.T, w *world, long time.Duration, resumeWithin time.Duration) {
	p := &provider{took: 5 * time.Millisecond}
	one := w.join("one", p.handle)
	w.awaitOwner(one)
	w.fill(200)
	w.awaitHandled(200, 20*time.Second)
	p.down()
	w.fill(2000)
	w.eventually("the first member to park", 20*time.Second, func() bool { return one.Snapshot().Parked })

	two := w.join("two", p.handle)
	w.eventually("both to have their share while parked", 20*time.Second, func() bool { return one.owns() == 4 && two.owns() == 4 })
	w.eventually("the second member to park", 20*time.Second, func() bool { return two.Snapshot().Parked })
	elapse(long)
	for _, x := range []*member{one, two} {
		if s := x.Snapshot(); !s.Ready || !s.Parked || x.owns() != 4 {
			t.Errorf("after %v: ready %v, parked %v, %d queues; want a parked member with 4 queues", long, s.Ready, s.Parked, x.owns())
		}
		for _, q := range x.Snapshot().Queues {
			if q.Uncommitted > x.cfg.MaxUncommitted {
				t.Errorf("%d messages of %v are held, more than %d", q.Uncommitted, q.Queue, x.cfg.MaxUncommitted)
			}
		}
	}
	one.leave()
	w.eventually("the second to take over while parked", 20*time.Second, func() bool { return two.owns() == 8 })
	if handed := w.ledger.tally().starts - 200; handed > 100 {
		t.Errorf("%d messages were handed out during the outage", handed)
	}
	if got := w.committed(); got != 200 {
		t.Errorf("%d messages are committed after the outage, want the 200 before it", got)
	}
	for name := range w.masters {
		if sent := w.read(w.retryQueue(name)); len(sent) != 0 {
			t.Errorf("%d messages were sent back", len(sent))
		}
		if dead := w.read(w.deadLetters(name)); len(dead) != 0 {
			t.Errorf("%d dead letters were written", len(dead))
		}
	}

	up := time.Now()
	p.up()
	w.eventually("the first message after the outage", 20*time.Second, func() bool { n, _ := w.ledger.succeeded(); return n > 200 })
	for _, e := range w.ledger.all() {
		if e.kind == outcome.Done && e.started.After(up) {
			t.Logf("resumed within %v", e.started.Sub(up))
			if e.started.Sub(up) > resumeWithin {
				t.Errorf("the first message was handed out %v after the outage, want %v", e.started.Sub(up), resumeWithin)
			}
			break
		}
	}
	w.eventually("the backlog to drain", time.Minute, func() bool { return w.committed() == 2200 })
	if n, duplicates := w.ledger.succeeded(); n != 2200 || duplicates != 0 {
		t.Errorf("%d messages succeeded, %d of them again; want 2200 once", n, duplicates)
	}
}

// TestAnOutageCostsNoAttemptAndStopsNoRebalance has one of half an hour at the fake, and a short one at a real broker.
func TestAnOutageCostsNoAttemptAndStopsNoRebalance(t *testing.T) {
	inEach(t, everyWay(), 8, func(t *testing.T, w *world) {
		if w.fake == nil {
			outage(t, w, 5*time.Second, 10*time.Second)
			return
		}
		outage(t, w, 31*time.Minute, 10*time.Millisecond)
	})
}

func TestAnOutageOfTwoMinutesForReal(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than two minutes")
	}
	t.Parallel()
	outage(t, onBroker(t, broker.Shared(t).NameServer(), 8), 125*time.Second, 10*time.Second)
}

func TestAMessageThatParksTheProbeIsNotTheNextProbe(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		// the first message is poison: the provider's circuit opens whenever it is called with it
		resume := make(chan struct{})
		var once sync.Once
		poisoned := 0
		w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Offset != 0 {
				return outcome.Succeed()
			}
			if poisoned++; poisoned > 3 {
				return outcome.Succeed()
			}
			once.Do(func() { time.AfterFunc(time.Second, func() { close(resume) }) })
			return outcome.ParkUntil(resume, "CircuitOpen", "")
		}, func(cfg *Config) { cfg.Concurrency = 1 })
		w.fill(20)
		w.awaitHandled(20, 20*time.Second)
		var order []int64
		for _, e := range w.ledger.all() {
			order = append(order, e.offset)
		}
		if order[0] != 0 || order[1] != 0 && order[1] != 1 {
			t.Errorf("order %v", order)
		}
		for i := 1; i < len(order)-1; i++ {
			if order[i] == 0 && order[i+1] == 0 {
				t.Errorf("the poisonous message was the probe twice in a row: %v", order)
			}
		}
	})
}
