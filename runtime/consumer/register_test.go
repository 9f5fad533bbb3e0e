// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"slices"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestLocksAreRenewedHoweverOftenTheLoopIsWoken(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		for begun := time.Now(); time.Since(begun) < 75*time.Second; time.Sleep(time.Second) {
			for range 20 {
				x.members.poke()
				time.Sleep(10 * time.Millisecond)
			}
			for _, q := range w.queues {
				if got := w.lockedBy(q); got != x.members.lock() {
					t.Fatalf("%v after the start %v is locked by %q", time.Since(begun), q, got)
				}
			}
		}
		w.fill(100)
		w.awaitHandled(100, 10*time.Second)
		if beats := len(w.fake.Calls(rocketmq.OpHeartbeat)); beats < 7 || beats > 10 {
			t.Errorf("%d heartbeats in 75 s, want one every 10 s", beats)
		}
	})
}

func TestAMemberThatWasAwaySettlesBeforeItConfirmsItsLocks(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		elapse(time.Second)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpHeartbeat, Code: rocketmq.CodeSystemBusy})
		x.cut()
		elapse(memberGrace + 2*time.Second)
		w.fake.Heal()
		back := time.Now()
		w.eventually("the queues to be confirmed", 10*time.Second, func() bool {
			_, intact := x.dispatch.generation(x.dispatch.allLinks()[0])
			return intact
		})
		calls := w.fake.Calls(0)
		beat := slices.IndexFunc(calls, func(c fake.Call) bool { return c.Op == rocketmq.OpHeartbeat && !c.At.Before(back) })
		lock := slices.IndexFunc(calls, func(c fake.Call) bool { return c.Op == rocketmq.OpLock && !c.At.Before(back) })
		if beat < 0 || lock < 0 || calls[lock].At.Sub(calls[beat].At) < settle {
			t.Errorf("confirmed its locks %v after its heartbeat, want %v", calls[lock].At.Sub(calls[beat].At), settle)
		}
	})
}

func TestNothingStartsBetweenABrokenConnectionAndItsConfirmation(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		stop := w.produce(200)
		x := w.join("one", taking(10*time.Millisecond))
		w.eventually("messages", 10*time.Second, func() bool { return w.ledger.tally().starts > 100 })
		w.fake.Inject(fake.Fault{Op: rocketmq.OpHeartbeat, Code: rocketmq.CodeSystemBusy})
		x.cut()
		cut := time.Now()
		elapse(2 * time.Second)
		healed := time.Now()
		w.fake.Heal()
		elapse(2 * time.Second)
		w.awaitHandled(stop(), 20*time.Second)
		for _, e := range w.ledger.all() {
			if e.started.After(cut) && e.started.Before(healed) {
				t.Fatalf("a message started %v after the connection broke", e.started.Sub(cut))
			}
		}
		for _, call := range w.fake.Calls(rocketmq.OpCommitOffset) {
			if call.At.After(cut) && call.At.Before(healed) {
				t.Fatalf("an offset was committed %v after the connection broke", call.At.Sub(cut))
			}
		}
		if got := w.ledger.tally(); got.duplicates != 0 {
			t.Errorf("%+v, want no duplicates", got)
		}
	})
}

func TestConnectionsThatBreakMoveNoQueue(t *testing.T) { inEach(t, everyWay(), 8, cuts) }

// cuts breaks the connections of each of two members three times.
func cuts(t *testing.T, w *world) {
	stop := w.produce(200)
	busy := between(time.Millisecond, 30*time.Millisecond)
	one, two := w.pair(busy)
	elapse(time.Second) // what the first had before the second came
	settled := time.Now()
	for range 3 {
		one.cut()
		elapse(time.Second)
		two.cut()
		elapse(time.Second)
	}
	w.awaitHandled(stop(), time.Minute)
	if got := w.ledger.tally(); got.duplicates != 0 || got.twoOwners != 0 || w.ledger.handover(settled) != 0 {
		t.Errorf("%+v, hand-over %v; want no duplicates and no queue moved", got, w.ledger.handover(settled))
	}
}

func TestHoldersKeepTheirQueuesThroughABrokersRestart(t *testing.T) {
	for name, away := range map[string]time.Duration{"of a moment": 300 * time.Millisecond, "that takes long": 17 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 8, func(t *testing.T, w *world) {
				one, two := w.pair(between(time.Millisecond, 30*time.Millisecond))
				w.fill(500)
				elapse(100 * time.Millisecond)
				w.fake.Broker().Stop()
				two.lockOut(true)
				elapse(away)
				w.must(w.fake.Broker().Start())
				back := time.Now()
				w.eventually("the first to be back", 10*time.Second, func() bool { return one.Snapshot().Ready && w.lockedBy(w.queues[0]) != "" })
				two.lockOut(false) // the broker has forgotten its locks
				w.eventually("both to go on", 10*time.Second, func() bool {
					return one.Snapshot().Ready && two.Snapshot().Ready && w.ledger.tally().unique == 500
				})
				t.Logf("went on within %v", time.Since(back))
				w.awaitHandled(500, 10*time.Second)
				if got := w.ledger.tally(); got.duplicates != 0 || got.twoOwners != 0 || w.ledger.handover(time.Time{}) != 0 {
					t.Errorf("%+v, hand-over %v; want no duplicates and no queue moved", got, w.ledger.handover(time.Time{}))
				}
			})
		})
	}
}

func TestABrokerThatIsSlowToTellOffsetsIsComeBackTo(t *testing.T) {
	inBubble(t, 1, 40, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpQueryOffset, Delay: 100 * time.Millisecond})
		x.lockOut(true)
		x.cut()
		elapse(2 * memberGrace)
		x.lockOut(false)
		w.fill(40)
		w.awaitHandled(40, time.Minute)
	})
}

func TestABrokerThatDoesNotAnswerHoldsUpNoOther(t *testing.T) {
	inBubble(t, 2, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		w.fake.Inject(fake.Fault{Host: "broker-b", Hang: true})
		elapse(10 * time.Second) // it is noticed once
		last := time.Now()
		elapse(30 * time.Second)
		looks := 0
		for _, call := range w.fake.Calls(rocketmq.OpMembers) {
			if call.Host != "broker-a" || call.At.Before(last) {
				continue
			}
			if gap := call.At.Sub(last); gap > watchPeriod+hurry {
				t.Errorf("%v passed between two looks at the members of the other broker", gap)
			}
			last = call.At
			looks++
		}
		if looks == 0 || x.owns() != 8 {
			t.Errorf("%d looks, %d queues; want a member that holds all 8", looks, x.owns())
		}
		w.fake.Heal()
		w.fill(100)
		w.awaitHandled(100, 10*time.Second)
	})
}

func TestTheQueuesOfABrokerThatIsAwayAreNotGivenUp(t *testing.T) {
	inBubble(t, 2, 4, func(t *testing.T, w *world) {
		x := w.join("one", between(time.Millisecond, 30*time.Millisecond))
		w.awaitOwner(x)
		w.fill(500)
		elapse(100 * time.Millisecond)
		away := w.fake.Brokers()[1]
		away.Stop()
		elapse(routePeriod + 10*time.Second) // the route has been read without it
		for _, q := range x.Snapshot().Queues {
			if q.Releasing {
				t.Errorf("%v is being given up although its last commit cannot arrive", q.Queue)
			}
		}
		if x.owns() != 8 {
			t.Errorf("owns %d queues, want all 8", x.owns())
		}
		w.must(away.Start())
		w.awaitHandled(500, 20*time.Second)
		if got := w.ledger.tally(); got.duplicates != 0 {
			t.Errorf("%+v, want no duplicates", got)
		}
	})
}

func TestAMemberWhoseSlotWasTakenMeanwhileDropsEverythingAndJoinsAnew(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		before := x.Snapshot().ClientID
		slot := rocketmq.Queue{Topic: slotTopic(w.group), Broker: "broker-a", ID: slotOf(before)}
		w.must(w.client.Unlock(w.ctx(), w.masters["broker-a"], w.group, "one", []rocketmq.Queue{slot})) // as by expiry
		_, err := w.client.Lock(w.ctx(), w.masters["broker-a"], w.group, "another", []rocketmq.Queue{slot})
		w.must(err)
		w.eventually("another slot", beatPeriod+5*time.Second, func() bool { return x.Snapshot().ClientID != before })
		w.fill(100)
		w.awaitHandled(100, 10*time.Second)
	})
}
