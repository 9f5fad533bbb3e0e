// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

const maintenance outcome.Reason = "Maintenance"

func TestASuspensionRunsWhatLiesBelowTheHighestStartedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		q := f.laned(1, 1, 2, 2, 3)
		tasks := f.expect(q, 0, 2)
		f.settle(tasks[1], passed, outcome.Succeed())
		f.suspend(maintenance, time.Minute)
		f.expectNothing() // 3 and 4 lie above
		f.settle(tasks[0], passed, outcome.Succeed())
		below := f.expect(q, 1)[0]
		f.expectNothing()
		if q.window.done != 2 {
			t.Errorf("%d messages are said to be done, want 2", q.window.done)
		}
		f.settle(below, passed, outcome.Succeed())
		f.expectNothing()
		if f.committed(q, q.window.position()); q.window.committed != 3 || q.window.done != 0 {
			t.Errorf("committed to %d with %d done beyond it, want 3 and none", q.window.committed, q.window.done)
		}
		if _, n, _ := f.want(q); n != 0 {
			t.Errorf("%d messages are to be fetched", n)
		}
		f.suspend("", time.Minute)
		f.expect(q, 3, 4)
		if _, n, _ := f.want(q); n == 0 {
			t.Error("nothing is fetched after the suspension")
		}
	})
}

func TestWhatASuspensionLeavesForLaterIsNotTried(t *testing.T) {
	for sentence, c := range map[string]struct {
		end   verdict
		after time.Duration
	}{
		"a message that parked while the group was suspended": {parked, 0},
		"a message that rests until its next attempt":         {rested, time.Second},
		"what did not begin within the grace period":          {passed, 15 * time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFloor(t)
				q := f.laned(1, 1, 2)
				tasks := f.expect(q, 0, 2)
				f.settle(tasks[1], passed, outcome.Succeed())
				f.suspend(maintenance, 10*time.Second)
				time.Sleep(c.after)
				resume := make(chan struct{})
				o := outcome.Succeed()
				switch c.end {
				case parked:
					o = outcome.ParkUntil(resume, "CircuitOpen", "")
				case rested:
					o = outcome.RetryLater(time.Second, "ServerError", "")
				}
				f.settle(tasks[0], c.end, o)
				close(resume)
				time.Sleep(15 * time.Second)
				f.expectNothing()
				if q.window.done == 0 {
					t.Error("a message is done above one that is not, and nobody is told")
				}
				f.suspend("", 0)
				f.try() // the probe, the next attempt, or what comes next
				if q.running != 1 {
					t.Error("nothing begins when the suspension is over")
				}
			})
		})
	}
}

func TestASuspensionIsToldOnceWhateverTheGateDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		told := &stops{}
		f.observer = told
		q := f.queue(0, 3)
		task := f.expect(q, 0)[0]
		f.suspend(maintenance, time.Minute)
		time.Sleep(time.Second)
		resume := make(chan struct{})
		f.settle(task, parked, outcome.ParkUntil(resume, "CircuitOpen", ""))
		time.Sleep(time.Second)
		f.suspend("", time.Minute) // the gate is shut yet
		time.Sleep(time.Second)
		close(resume)
		synctest.Wait()
		f.settle(f.expect(q, 0)[0], passed, outcome.Succeed())
		if told.begun != 1 || told.ended != 1 || told.took != 3*time.Second {
			t.Errorf("told %d times that it stopped and %d times that it goes on, after %v; want once, after 3s", told.begun, told.ended, told.took)
		}
	})
}

// stops counts what an observer is told of handing out.
type stops struct {
	Unobserved
	begun, ended int
	took         time.Duration
}

func (s *stops) Parked(outcome.Reason) { s.begun++ }

func (s *stops) Resumed(after time.Duration) { s.ended, s.took = s.ended+1, after }

// TestASuspendedGroupKeepsItsMembersAndHandlesNothing has members join, leave and start while it is.
func TestASuspendedGroupKeepsItsMembersAndHandlesNothing(t *testing.T) {
	inEach(t, everyWay(), 8, func(t *testing.T, w *world) {
		handle := taking(20 * time.Millisecond)
		one := w.join("one", handle)
		w.awaitOwner(one)
		w.fill(400)
		w.eventually("a part to be handled", 20*time.Second, func() bool { n, _ := w.ledger.succeeded(); return n >= 100 })
		one.Suspend(maintenance)
		w.eventually("what runs to end", 20*time.Second, func() bool { s := one.Snapshot(); return !s.Draining })
		w.eventually("all that is done to be committed", 20*time.Second, func() bool { return one.done() == 0 })
		before := w.ledger.tally().starts
		if got := w.committed(); got != before {
			t.Errorf("%d messages were handled and %d are committed", before, got)
		}

		two := w.join("two", handle)
		two.Suspend(maintenance)
		w.eventually("both to have their share", 20*time.Second, func() bool { return one.owns() == 4 && two.owns() == 4 })
		w.fill(100)
		elapse(w.pause(time.Hour))
		for _, x := range []*member{one, two} {
			if s := x.Snapshot(); !s.Ready || !s.Parked || s.Suspended != maintenance || s.ParkedReason != maintenance || x.owns() != 4 {
				t.Errorf("a suspended member is %+v", s)
			}
		}
		one.leave()
		w.eventually("the second to take over", 20*time.Second, func() bool { return two.owns() == 8 })
		if got := w.ledger.tally().starts; got != before {
			t.Errorf("%d messages were handed out while the group was suspended", got-before)
		}

		two.Suspend("")
		w.eventually("all to be handled", time.Minute, func() bool { return w.committed() == 500 })
		if got := w.ledger.tally(); got.starts != 500 {
			t.Errorf("500 messages were handed out %d times", got.starts)
		}
	})
}

// done is how many messages are finished and not committed.
func (x *member) done() (n int) {
	for _, q := range x.Snapshot().Queues {
		n += q.Done
	}
	return n
}

// pause is how long a test waits at the fake, and a moment at a real broker.
func (w *world) pause(long time.Duration) time.Duration {
	if w.fake == nil {
		return 3 * time.Second
	}
	return long
}
