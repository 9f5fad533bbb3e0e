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
	both(t, 4, func(t *testing.T, w *world) {
		w.fill(256) // before anybody runs: 64 in each queue
		one, two := w.join("one", done, broadcasting), w.join("two", done, broadcasting)
		w.eventually("both to have all queues", 20*time.Second, func() bool { return w.begun(one) && w.begun(two) })
		w.fill(256)
		w.eventually("both to get everything", 20*time.Second, func() bool { return w.ledger.by(one) == 256 && w.ledger.by(two) == 256 })
		two.leave()
		w.fill(64)
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
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		o := &noting{}
		resume := make(chan struct{})
		parked := false
		x := w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			switch trimmed(m.Body) {
			case "0":
				return outcome.RetryLater(time.Second, "Busy", "")
			case "1":
				return outcome.Kill("Refused", "")
			case "2":
				return outcome.Expire("TooLate", "")
			case "3":
				panic("no")
			case "4":
				if !parked {
					parked = true
					return outcome.ParkUntil(resume, "CircuitOpen", "")
				}
			}
			return outcome.Succeed()
		}, broadcasting, o.observe, func(cfg *Config) { cfg.Concurrency = 1 })
		w.awaitOwner(x)
		elapse(time.Second)
		w.fill(6)
		elapse(time.Minute)
		close(resume)
		elapse(time.Minute)
		for _, reason := range []string{"Busy", "Refused", "TooLate", "HandlerPanic"} {
			if o.count("Dropped "+reason) != 1 {
				t.Errorf("told of %v, want one message dropped for %s", o.counts, reason)
			}
		}
		if got := w.ledger.tally(); got.unique != 6 || o.count("Dropped CircuitOpen") != 0 {
			t.Errorf("%+v, told of %v; want six messages, and the parked one not dropped", got, o.counts)
		}
		for _, op := range []rocketmq.Op{rocketmq.OpSendBack, rocketmq.OpLock, rocketmq.OpCommitOffset} {
			for _, call := range w.fake.Calls(op) {
				if op != rocketmq.OpCommitOffset || call.Fields.Get("commitOffset") != "0" { // of the test's own seed
					t.Errorf("%v was asked: %v", op, call.Fields)
				}
			}
		}
		if dead := w.read(w.deadLetters(w.onlyBroker())); len(dead) != 0 {
			t.Errorf("%d dead letters", len(dead))
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
