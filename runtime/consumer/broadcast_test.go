// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func broadcasting(cfg *Config) { cfg.Model = Broadcasting }

func TestEveryMemberGetsEveryMessageThatComesWhileItRuns(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(*member){"leaves": (*member).leave, "is killed": (*member).kill} {
		t.Run("and one "+how, func(t *testing.T) {
			both(t, 4, func(t *testing.T, w *world) {
				members := w.broadcastingPair(done) // after 64 messages in each queue
				one, two := members[0], members[1]
				w.fill(256)
				w.eventually("both to get everything", 20*time.Second, func() bool { return w.ledger.by(one) == 256 && w.ledger.by(two) == 256 })
				end(two)
				w.fill(64)
				w.awaitShown()
				three := w.join("two", done, broadcasting) // the same pod, in a new process
				w.eventually("it to begin anew", 20*time.Second, func() bool { return w.begun(three) })
				w.fill(64)
				w.eventually("it to get what comes from now on", 20*time.Second, func() bool { return w.ledger.by(one) == 384 && w.ledger.by(three) == 64 })
				if n := w.committed(); n != 0 { // as seeded
					t.Errorf("the group's offsets were moved to %d", n)
				}
				for _, e := range w.ledger.all() {
					if body, _ := strconv.Atoi(e.body); body < 256 {
						t.Error("a message came that was sent before its member ran")
					}
				}
			})
		})
	}
}

// broadcastingPair joins two members to which every message goes, and returns when both have begun at the ends of the queues, in each of which there are 64 messages.
func (w *world) broadcastingPair(handle handlerFunc) []*member {
	w.t.Helper()
	w.fill(64 * len(w.queues))
	w.awaitShown()
	members := []*member{w.join("one", handle, broadcasting), w.join("two", handle, broadcasting)}
	w.eventually("both to have all queues", 20*time.Second, func() bool { return w.begun(members[0]) && w.begun(members[1]) })
	return members
}

// awaitShown waits until the queues end behind all that was sent, which a real broker shows a moment after it has confirmed it: there who joins begins.
func (w *world) awaitShown() {
	w.t.Helper()
	w.eventually("what was sent to be shown", 20*time.Second, func() bool {
		shown := 0
		for _, q := range w.queues {
			end, err := w.client.MaxOffset(w.ctx(), w.masters[q.Broker], q)
			w.must(err)
			shown += int(end)
		}
		return shown >= w.nextMessage
	})
}

// begun reports whether a member has read where all queues, of which none is empty, end.
func (w *world) begun(x *member) bool {
	for _, q := range x.Snapshot().Queues {
		if q.Next == 0 {
			return false
		}
	}
	return x.owns() == len(w.queues)
}

func TestWhatFailsWhereEverybodyGetsEverythingIsDropped(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		o := &noting{}
		resume := make(chan struct{})
		parked := false
		w.fill(1) // so that it can be seen that it has begun
		w.awaitShown()
		x := w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			switch trimmed(m.Body) {
			case "1":
				return outcome.RetryLater(time.Second, "Busy", "")
			case "2":
				return outcome.Kill("Refused", "")
			case "3":
				return outcome.Expire("TooLate", "")
			case "4":
				panic("no")
			case "5":
				if !parked {
					parked = true
					return outcome.ParkUntil(resume, "CircuitOpen", "")
				}
			}
			return outcome.Succeed()
		}, broadcasting, o.observe, func(cfg *Config) { cfg.Concurrency = 1 })
		w.eventually("it to begin", 20*time.Second, func() bool { return w.begun(x) })
		w.fill(6)
		w.eventually("it to park", 20*time.Second, func() bool { return x.Snapshot().Parked })
		elapse(2 * time.Second) // in which what failed would come again
		close(resume)
		w.eventually("all to be handled", 20*time.Second, func() bool { return w.ledger.tally().unique == 6 })
		for _, reason := range []string{"Busy", "Refused", "TooLate", "HandlerPanic"} {
			if o.count("Dropped "+reason) != 1 {
				t.Errorf("told of %v, want one message dropped for %s", o.counts, reason)
			}
		}
		if got := w.ledger.tally(); got.duplicates != 1 || o.count("Dropped CircuitOpen") != 0 {
			t.Errorf("%+v, told of %v; want the parked message again, no other, and it not dropped", got, o.counts)
		}
		x.leave()
		if n := w.committed(); n != 0 { // as seeded
			t.Errorf("the group's offsets were moved to %d", n)
		}
		for _, q := range []rocketmq.Queue{w.deadLetters(w.onlyBroker()), w.retryQueue(w.onlyBroker())} {
			if left := w.read(q); len(left) != 0 {
				t.Errorf("%d messages in %v", len(left), q)
			}
		}
		if w.fake != nil && len(w.fake.Calls(rocketmq.OpLock)) > 0 {
			t.Error("locks were asked for")
		}
	})
}

func TestAQueueThatAppearsIsReadFromWhenItsReaderBegan(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		x := w.join("one", done, broadcasting)
		w.awaitOwner(x)
		elapse(time.Second)
		w.createTopic(w.masters[w.onlyBroker()], w.topic, 2)
		appeared := rocketmq.Queue{Topic: w.topic, Broker: w.onlyBroker(), ID: 1}
		w.sendTo(appeared)
		w.eventually("its first message to come", time.Minute, func() bool { return w.ledger.by(x) == 1 })
	})
}

func TestAQueueThatLeavesTheRouteForAMomentIsReadFromWhereItWasLeft(t *testing.T) {
	inBubble(t, 1, 2, func(t *testing.T, w *world) {
		w.fill(64)
		x := w.join("one", done, broadcasting)
		w.eventually("the ends to be read", 10*time.Second, func() bool { return x.owns() == 2 })
		elapse(time.Second) // a queue without messages looks the same before its end is read
		broker := w.masters[w.onlyBroker()]
		for round := range 2 {
			w.sendTo(w.queues[1])
			w.eventually("what comes to be handled", 10*time.Second, func() bool { return w.ledger.by(x) == 1+2*round })
			w.createTopic(broker, w.topic, 1)
			w.eventually("the queue to be let go", 2*routePeriod, func() bool { return x.owns() == 1 })
			w.createTopic(broker, w.topic, 2)
			w.sendTo(w.queues[1])
			w.eventually("what was sent meanwhile to be handled", 2*routePeriod, func() bool { return w.ledger.by(x) == 2+2*round })
		}
	})
}

// TestABrokerThatIsAwayHoldsUpNoStopWhereNothingIsCommitted has the position move on after the broker has gone.
func TestABrokerThatIsAwayHoldsUpNoStopWhereNothingIsCommitted(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		release := make(chan struct{})
		x := w.join("one", handlerWaiting(release), broadcasting)
		w.awaitOwner(x)
		elapse(time.Second)
		w.fill(1)
		w.eventually("the message to be in flight", 10*time.Second, func() bool { return x.Snapshot().InFlight == 1 })
		w.fake.Broker().Stop()
		elapse(time.Second)
		close(release)
		begun := time.Now()
		x.leave()
		if took := time.Since(begun); took > 2*callTimeout { // it cannot be told that we leave, either
			t.Errorf("left after %v", took)
		}
	})
}
