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
		t.Run("real "+tt.name, func(t *testing.T) {
			t.Parallel()
			nameServer := broker.Shared(t).NameServer()
			if tt.brokers > 1 {
				nameServer = broker.Own(t, rocketmq.Options{Brokers: []rocketmq.Broker{{Name: "broker-a"}, {Name: "broker-b"}}}).NameServer()
			}
			for _, way := range concurrently() {
				t.Run(way.name, func(t *testing.T) {
					t.Parallel()
					way.in(tt.run)(t, onBroker(t, nameServer, 8/tt.brokers))
				})
			}
		})
		for _, way := range concurrently() {
			t.Run("fake "+tt.name+"/"+way.name, func(t *testing.T) { inBubble(t, tt.brokers, 8/tt.brokers, way.in(tt.run)) })
		}
	}
}

// TestMembersJoinLeaveAndCrashInOrder measures for how long queues stand: at a real broker with no other test of the package beside it.
func TestMembersJoinLeaveAndCrashInOrder(t *testing.T) {
	for name, backlog := range map[string]int{"with messages arriving": 0, "with a backlog": 16000} {
		for _, way := range inOrder() {
			run := way.in(joinLeaveCrash(backlog))
			t.Run("fake "+name+"/"+way.name, func(t *testing.T) { inBubble(t, 1, 8, run) })
			t.Run("real "+name+"/"+way.name, func(t *testing.T) { run(t, onBroker(t, broker.Shared(t).NameServer(), 8)) })
		}
	}
}

// The longest that a queue may stand when it moves, if order is kept.
const (
	standsAtLeave = time.Second
	standsAtKill  = 5 * time.Second
	standsAtAll   = 10 * time.Second // all members died at once
)

// longest is one of them as it holds here: at a real broker tests of other packages run beside this one, which may hold it up. TestFaults, which runs alone, holds
// whole workers to the bounds themselves.
func (w *world) longest(stands time.Duration) time.Duration {
	if w.fake != nil {
		return stands
	}
	return stands + 10*time.Second
}

// joinLeaveCrash is the story of three members: two work, a third joins, the second leaves, the first is killed.
func joinLeaveCrash(backlog int) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		stop := func() int { return w.nextMessage }
		if backlog > 0 {
			w.fill(backlog)
		} else {
			stop = w.produce(200)
		}
		busy := between(2*time.Millisecond, 60*time.Millisecond)
		one, two := w.pair(busy)
		elapse(2 * time.Second)

		joined := time.Now()
		three := w.join("three", busy)
		w.eventually("the third to have its share", 20*time.Second, func() bool { return three.owns() >= 2 && w.ledger.by(three) > 0 })
		elapse(2 * time.Second)
		t.Logf("join: hand-over within %v", w.ledger.handover(joined))

		left := time.Now()
		two.leave()
		w.eventually("the others to divide its queues", 20*time.Second, func() bool { return one.owns() == 4 && three.owns() == 4 })
		elapse(2 * time.Second)
		ordered, stood := w.way.ordered(), w.ledger.handover(left)
		if t.Logf("leave: hand-over within %v", stood); ordered && stood >= w.longest(standsAtLeave) {
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
		if t.Logf("crash: hand-over within %v, %+v", stood, got); ordered && stood >= w.longest(standsAtKill) {
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

// TestOrderIsKeptThroughADeathOfAllMembers measures as TestMembersJoinLeaveAndCrashInOrder does.
func TestOrderIsKeptThroughADeathOfAllMembers(t *testing.T) {
	story := func(t *testing.T, w *world) {
		stop, busy := w.produce(200), between(2*time.Millisecond, 60*time.Millisecond)
		one, two := w.join("one", busy), w.join("two", busy)
		w.eventually("both to work", 20*time.Second, func() bool { return w.ledger.by(one) > 100 && w.ledger.by(two) > 100 })
		window := 8 * one.cfg.MaxUncommitted
		one.kill()
		two.kill()
		died := time.Now()
		w.join("three", busy)
		w.join("four", busy)
		elapse(5 * time.Second)
		n := stop()
		w.awaitHandled(n, time.Minute)
		stood, got := w.ledger.handover(died), w.ledger.tally()
		t.Logf("hand-over within %v, %+v", stood, got)
		if got.unique != n || got.duplicates > window || w.ledger.reordered() != 0 || stood >= w.longest(standsAtAll) {
			t.Errorf("%+v of %d sent, %d out of order, hand-over %v; want all, none, and less than %v", got, n, w.ledger.reordered(), stood, w.longest(standsAtAll))
		}
	}
	for _, way := range inOrder() {
		t.Run("fake/"+way.name, func(t *testing.T) { inBubble(t, 1, 8, way.in(story)) })
		t.Run("real/"+way.name, func(t *testing.T) { way.in(story)(t, onBroker(t, broker.Shared(t).NameServer(), 8)) })
	}
}

// TestABrokersRestartForReal has groups of every way, and one that broadcasts, live through the same restart.
func TestABrokersRestartForReal(t *testing.T) {
	t.Parallel()
	const n = 4000
	cluster := broker.Own(t, rocketmq.Options{})
	busy := between(2*time.Millisecond, 60*time.Millisecond)
	worlds := map[string]*world{}
	for _, way := range everyWay() {
		worlds[way.name] = onBroker(t, cluster.NameServer(), 8)
		worlds[way.name].way = way
		worlds[way.name].pair(busy)
	}
	all := onBroker(t, cluster.NameServer(), 8)
	everything := all.broadcastingPair(busy)
	for _, w := range worlds {
		w.fill(n)
	}
	all.fill(n)
	started := map[string]int{}
	for name, w := range worlds {
		w.eventually(name+": messages in flight", 20*time.Second, func() bool { return w.ledger.tally().starts > 200 })
	}
	all.must(cluster.StopBroker(t.Context(), rocketmq.DefaultBroker))
	for name, w := range worlds {
		started[name] = w.ledger.tally().starts
	}
	elapse(4 * time.Second)
	all.must(cluster.StartBroker(t.Context(), rocketmq.DefaultBroker))
	back := time.Now()
	for name, w := range worlds {
		w.eventually(name+": messages after the restart", 30*time.Second, func() bool {
			return w.ledger.tally().starts > started[name] || started[name] >= n // none was left, where the broker took long to stop
		})
		t.Logf("%s: went on within %v of the broker's start", name, time.Since(back))
	}
	for name, w := range worlds {
		w.awaitHandled(n, time.Minute)
		if got := w.ledger.tally(); got.duplicates != 0 || got.twoOwners != 0 || w.ledger.handover(time.Time{}) != 0 {
			t.Errorf("%s: %+v, hand-over %v; want no duplicates and no queue moved", name, got, w.ledger.handover(time.Time{}))
		}
		if out := w.ledger.reordered(); w.way.ordered() && out != 0 {
			t.Errorf("%s: %d messages were handled out of order", name, out)
		}
	}
	for _, x := range everything {
		all.eventually("every message at every member", time.Minute, func() bool { return all.ledger.by(x) >= n })
	}
	if got := all.ledger.tally(); got.starts != 2*n || got.unique != n {
		t.Errorf("where everybody gets everything: %+v, want %d messages twice", got, n)
	}
}

func TestBrokersAndQueuesThatComeLaterAreReadForReal(t *testing.T) {
	t.Parallel()
	cluster := broker.Own(t, rocketmq.Options{Brokers: []rocketmq.Broker{{Name: "broker-a"}, {Name: "broker-b"}}})
	w := onBroker(t, cluster.NameServer(), 2)
	w.must(cluster.StopBroker(t.Context(), "broker-b"))
	x := w.join("one", done)
	w.eventually("the queues of the one broker", 20*time.Second, func() bool { return x.owns() == 2 })
	w.must(cluster.StartBroker(t.Context(), "broker-b"))
	w.eventually("those of the other, too", 2*routePeriod, func() bool { return x.owns() == 4 })
	w.createTopic(w.masters["broker-a"], w.topic, 3)
	w.queues = append(w.queues, mq.Queue{Topic: w.topic, Broker: "broker-a", ID: 2})
	w.seed(w.queues[4])
	w.eventually("one more", 2*routePeriod, func() bool { return x.owns() == 5 })
	w.fill(5 * 64)
	w.awaitHandled(5*64, 20*time.Second)
}

// elapse lets time pass that no condition stands for: members work on.
func elapse(d time.Duration) { <-time.After(d) }
