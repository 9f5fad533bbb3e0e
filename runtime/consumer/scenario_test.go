// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	mq "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// between makes a handler that takes a random time, so that messages end in another order than they began.
func between(least, most time.Duration) handlerFunc {
	return func(ctx context.Context, m *mq.Message) outcome.Outcome {
		return taking(least+rand.N(most-least))(ctx, m)
	}
}

// produce sends at a steady rate until the returned function is called, which returns how many were sent.
func (w *world) produce(perSecond int) (stop func() int) {
	ended, end := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		begun, sent := time.Now(), 0
		for {
			select {
			case <-end:
				return
			case <-time.After(10 * time.Millisecond):
			}
			for due := int(time.Since(begun).Seconds() * float64(perSecond)); sent < due; sent++ { // a broker may be slower
				w.sendTo(w.queues[sent%len(w.queues)])
			}
		}
	}()
	return func() int {
		close(end)
		<-ended
		return w.nextMessage
	}
}

// awaitHandled waits until every message sent was handed out, and all offsets are committed.
func (w *world) awaitHandled(n int, patience time.Duration) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d messages to be handled", n), patience, func() bool { return w.ledger.tally().unique >= n })
	w.eventually("every offset to be committed", 10*time.Second, func() bool { return w.committed() == n })
}

func TestMembersJoinLeaveAndCrash(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		brokers int
		run     func(t *testing.T, w *world)
	}{
		{"with messages arriving", 1, joinLeaveCrash(0)},
		{"with a backlog", 1, joinLeaveCrash(16000)},
		{"with messages arriving at two brokers", 2, joinLeaveCrash(0)},
	} {
		t.Run("fake "+tt.name, func(t *testing.T) { inBubble(t, tt.brokers, 8/tt.brokers, tt.run) })
		t.Run("real "+tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.brokers == 1 {
				tt.run(t, onBroker(t, broker.Shared(t).NameServer(), 8))
				return
			}
			cluster := broker.Own(t, rocketmq.Options{Brokers: []rocketmq.Broker{{Name: "broker-a"}, {Name: "broker-b"}}})
			tt.run(t, onBroker(t, cluster.NameServer(), 4))
		})
	}
}

// TestMembersJoinLeaveAndCrashInOrder measures for how long queues stand: at a real broker with no other test beside it.
func TestMembersJoinLeaveAndCrashInOrder(t *testing.T) {
	for name, run := range map[string]func(*testing.T, *world){
		"with messages arriving": joinLeaveCrash(0, orderly),
		"with a backlog":         joinLeaveCrash(16000, orderly),
	} {
		t.Run("fake "+name, func(t *testing.T) { inBubble(t, 1, 8, run) })
		t.Run("real "+name, func(t *testing.T) { run(t, onBroker(t, broker.Shared(t).NameServer(), 8)) })
	}
}

// The longest that a queue may stand when it moves, if order is kept.
const (
	standsAtLeave = time.Second
	standsAtKill  = 5 * time.Second
	standsAtAll   = 10 * time.Second // all members died at once
)

// joinLeaveCrash is the story of three members: two work, a third joins, the second leaves, the first is killed.
func joinLeaveCrash(backlog int, options ...func(*Config)) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		stop := func() int { return w.nextMessage }
		if backlog > 0 {
			w.fill(backlog)
		} else {
			stop = w.produce(200)
		}
		busy := between(2*time.Millisecond, 60*time.Millisecond)
		one, two := w.join("one", busy, options...), w.join("two", busy, options...)
		w.eventually("both to have their share", 20*time.Second, func() bool { return one.owns() == 4 && two.owns() == 4 })
		elapse(2 * time.Second)

		joined := time.Now()
		three := w.join("three", busy, options...)
		w.eventually("the third to have its share", 20*time.Second, func() bool { return three.owns() >= 2 && w.ledger.by(three) > 0 })
		elapse(2 * time.Second)
		t.Logf("join: hand-over within %v", w.ledger.handover(joined))

		left := time.Now()
		two.leave()
		w.eventually("the others to divide its queues", 20*time.Second, func() bool { return one.owns() == 4 && three.owns() == 4 })
		elapse(2 * time.Second)
		ordered, stood := one.cfg.OrderKey != nil, w.ledger.handover(left)
		if t.Logf("leave: hand-over within %v", stood); ordered && stood >= standsAtLeave {
			t.Errorf("a queue stood for %v when its member left", stood)
		}
		if got := w.ledger.tally(); got.duplicates != 0 || got.twoOwners != 0 {
			t.Errorf("after join and leave: %+v, want no duplicates and no queue with two owners", got)
		}

		killed := time.Now()
		window := one.owns() * one.cfg.MaxUncommitted
		one.kill()
		w.eventually("the survivor to own everything", 30*time.Second, func() bool { return three.owns() == 8 })
		elapse(time.Second)
		n := stop()
		w.awaitHandled(n, time.Minute)
		got := w.ledger.tally()
		stood = w.ledger.handover(killed)
		if t.Logf("crash: hand-over within %v, %+v", stood, got); ordered && stood >= standsAtKill {
			t.Errorf("a queue stood for %v when its member was killed", stood)
		}
		if n := w.ledger.reordered(); ordered && n != 0 {
			t.Errorf("%d messages were handled out of order", n)
		}
		if got.unique != n || got.duplicates > window || got.twoOwners != 0 {
			t.Errorf("after the crash: %+v of %d sent, want all of them and at most %d duplicates", got, n, window)
		}
	}
}

func TestAfterACrashOfAllMembersNewOnesTakeOverForReal(t *testing.T) {
	t.Parallel()
	massCrash(t, onBroker(t, broker.Shared(t).NameServer(), 8), 10*time.Second)
}

// TestOrderIsKeptThroughADeathOfAllMembers measures as TestMembersJoinLeaveAndCrashInOrder does.
func TestOrderIsKeptThroughADeathOfAllMembers(t *testing.T) {
	story := func(t *testing.T, w *world) {
		stop, busy := w.produce(200), between(2*time.Millisecond, 60*time.Millisecond)
		one, two := w.join("one", busy, orderly), w.join("two", busy, orderly)
		w.eventually("both to work", 20*time.Second, func() bool { return w.ledger.by(one) > 100 && w.ledger.by(two) > 100 })
		window := 8 * one.cfg.MaxUncommitted
		one.kill()
		two.kill()
		died := time.Now()
		w.join("three", busy, orderly)
		w.join("four", busy, orderly)
		elapse(5 * time.Second)
		n := stop()
		w.awaitHandled(n, time.Minute)
		stood, got := w.ledger.handover(died), w.ledger.tally()
		t.Logf("hand-over within %v, %+v", stood, got)
		if got.unique != n || got.duplicates > window || w.ledger.reordered() != 0 || stood >= standsAtAll {
			t.Errorf("%+v of %d sent, %d out of order, hand-over %v; want all, none, and less than %v", got, n, w.ledger.reordered(), stood, standsAtAll)
		}
	}
	t.Run("fake", func(t *testing.T) { inBubble(t, 1, 8, story) })
	t.Run("real", func(t *testing.T) { story(t, onBroker(t, broker.Shared(t).NameServer(), 8)) })
}

func TestConnectionsThatBreakMoveNoQueueForReal(t *testing.T) {
	t.Parallel()
	cuts(t, onBroker(t, broker.Shared(t).NameServer(), 8))
}

func TestABrokersRestartForReal(t *testing.T) {
	t.Parallel()
	cluster := broker.Own(t, rocketmq.Options{})
	concurrently, inOrder := onBroker(t, cluster.NameServer(), 8), onBroker(t, cluster.NameServer(), 8)
	worlds := []*world{concurrently, inOrder}
	busy := between(2*time.Millisecond, 60*time.Millisecond)
	for _, w := range worlds {
		order := orderly
		if w == concurrently {
			order = func(*Config) {}
		}
		one, two := w.join("one", busy, order), w.join("two", busy, order)
		w.eventually("both to have their share", 20*time.Second, func() bool { return one.owns() == 4 && two.owns() == 4 })
		w.fill(4000)
	}
	for _, w := range worlds {
		w.eventually("messages in flight", 20*time.Second, func() bool { return w.ledger.tally().starts > 200 })
	}
	inOrder.must(cluster.StopBroker(t.Context(), rocketmq.DefaultBroker))
	before := inOrder.ledger.tally().starts
	elapse(4 * time.Second)
	inOrder.must(cluster.StartBroker(t.Context(), rocketmq.DefaultBroker))
	back := time.Now()
	inOrder.eventually("messages after the restart", 30*time.Second, func() bool { return inOrder.ledger.tally().starts > before })
	t.Logf("went on within %v of the broker's start", time.Since(back))
	for _, w := range worlds {
		w.awaitHandled(4000, time.Minute)
		if got := w.ledger.tally(); got.duplicates != 0 || got.twoOwners != 0 || w.ledger.handover(time.Time{}) != 0 {
			t.Errorf("%+v, hand-over %v; want no duplicates and no queue moved", got, w.ledger.handover(time.Time{}))
		}
	}
	if n := inOrder.ledger.reordered(); n != 0 {
		t.Errorf("%d messages were handled out of order", n)
	}
}

// elapse lets time pass that no condition stands for: members work on.
func elapse(d time.Duration) { <-time.After(d) }
