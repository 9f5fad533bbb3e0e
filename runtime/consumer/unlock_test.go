// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// asked counts the locks asked for of a queue since then.
func (w *world) asked(q rocketmq.Queue, since time.Time) int {
	n := 0
	for _, call := range w.fake.Calls(rocketmq.OpLock) {
		if _, queues := lockedQueues(w.t, call); !call.At.Before(since) && queues[0] == q {
			n++
		}
	}
	return n
}

// expectFree fails the test if one of the queues is locked although nobody has it.
func (w *world) expectFree(queues ...rocketmq.Queue) {
	w.t.Helper()
	for _, q := range queues {
		if owner := w.lockedBy(q); owner != "" {
			w.t.Errorf("%v is locked by %q, which has given it up", q, owner)
		}
	}
}

func TestARenewalUnderWayDoesNotTakeALockThatIsGivenBack(t *testing.T) {
	inBubble(t, 1, 2, func(t *testing.T, w *world) {
		release := make(chan struct{})
		moved := w.queues[0]
		x := w.join("one", handlerWaiting(release), func(cfg *Config) { cfg.Grace = time.Minute })
		w.awaitOwner(x)
		w.sendTo(moved)
		w.eventually("the message in flight", 5*time.Second, func() bool { return x.Snapshot().InFlight == 1 })
		w.stranger("a#5", "broker-a") // sorts before us: the first queue is its own
		elapse(time.Second)
		injected := time.Now()
		w.fake.Inject(fake.Fault{Op: rocketmq.OpLock, Delay: time.Second})
		w.eventually("a renewal", 2*beatPeriod, func() bool { return w.asked(w.queues[0], injected)+w.asked(w.queues[1], injected) > 0 })
		close(release) // the queue is given back while the broker has not looked at the renewal yet
		elapse(5 * time.Second)
		w.expectFree(moved)
	})
}

func TestALockThatCannotBeGivenBackIsTriedAgain(t *testing.T) {
	inBubble(t, 1, 2, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpUnlock, Code: rocketmq.CodeSystemError, Times: 6})
		x.leave()
		w.expectFree(w.queues...)
	})
}

func TestABrokerThatIsAwayHoldsUpNoLeave(t *testing.T) {
	for name, handle := range map[string]handlerFunc{
		"with nothing in hand":            done,
		"with what is done and not told":  between(time.Millisecond, 50*time.Millisecond),
		"with what is to be tried again":  always(outcome.RetryLater(time.Second, "Timeout", "")),
		"with dead letters to be written": always(outcome.Kill("BadRequest", "")),
		"with what is parked": func(context.Context, *rocketmq.Message) outcome.Outcome {
			return outcome.ParkUntil(make(chan struct{}), "CircuitOpen", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, 2, func(t *testing.T, w *world) {
				x := w.join("one", handle)
				w.awaitOwner(x)
				w.fill(100)
				elapse(20 * time.Millisecond)
				w.fake.Broker().Stop()
				two := w.join("two", done)
				elapse(time.Second)
				begun := time.Now()
				x.leave()
				if took := time.Since(begun); took > 3*callTimeout {
					t.Errorf("left after %v", took)
				}
				w.eventually("the other to have what is left", callTimeout, func() bool { return two.owns() == 2 })
			})
		})
	}
}

func TestALockThatWasPerhapsTakenIsGivenBack(t *testing.T) {
	for name, change := range map[string]func(w *world, x *member){
		"when the queue falls to another": func(w *world, _ *member) { w.stranger("a#5", "broker-a") },
		"when we leave":                   func(_ *world, x *member) { x.leave() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 4, func(t *testing.T, w *world) {
				theirs := w.queues[:2]
				other := w.stranger("a#5", "broker-a")
				x := w.join("one", done)
				w.eventually("our half", 10*time.Second, func() bool { return x.owns() == 2 })
				elapse(time.Second)
				w.fake.Inject(fake.Fault{Op: rocketmq.OpLock, Late: true, Hang: true, Times: 2}) // the second after locks of the dead were freed
				other.Close()
				w.eventually("the other half to be taken without an answer", 5*time.Second, func() bool { return w.lockedBy(theirs[0]) != "" })
				change(w, x)
				elapse(3 * callTimeout)
				w.expectFree(theirs...)
			})
		})
	}
}
