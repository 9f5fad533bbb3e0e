// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// laned adds a live queue with a message in each of the lanes, in that order.
func (f *floor) laned(lanes ...uint64) *queue {
	q := newQueue(context.Background(), rocketmq.Queue{Topic: "T", Broker: "b"}, f.link, rocketmq.Subscription{}, time.Now())
	f.add(q)
	f.open(q, 64, 0)
	f.fetched(q, lanes...)
	return q
}

// fetched adds more messages.
func (f *floor) fetched(q *queue, lanes ...uint64) {
	var messages []rocketmq.Message
	var keys []key
	next := q.window.next
	for _, lane := range lanes {
		messages = append(messages, rocketmq.Message{Queue: q.id, Offset: next})
		keys = append(keys, key{lane: lane})
		next++
	}
	f.put(q, messages, keys, 0, next)
}

func TestMessagesOfOneKeyFollowEachOtherAndThoseOfOthersGoBeside(t *testing.T) {
	f := newFloor(t)
	q := f.laned(1, 1, 2, keyless, 1, keyless)
	first := f.expect(q, 0, 2, 3)
	f.expectNothing()
	f.settle(first[0], passed, outcome.Succeed())
	f.fetched(q, 2, 3)
	next := f.expect(q, 1, 7)
	f.expectNothing()
	f.settle(first[2], passed, outcome.Succeed())
	f.settle(next[0], passed, outcome.Succeed())
	f.settle(first[1], passed, outcome.Succeed())
	for _, task := range append(f.expect(q, 4, 5, 6), next[1]) {
		f.settle(task, passed, outcome.Succeed())
	}
	if q.window.position() != 8 || len(q.window.lanes.last) != 0 || q.window.blocked() != 0 {
		t.Errorf("at the end the position is %d, %d lanes live and %d messages are blocked; want 8, 0 and 0", q.window.position(), len(q.window.lanes.last), q.window.blocked())
	}
}

func TestAParkedMessageStaysTheHeadOfItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		q := f.laned(1, 1, 2)
		tasks := f.expect(q, 0, 2)
		resume := make(chan struct{})
		f.settle(tasks[0], parked, outcome.ParkUntil(resume, "Down", ""))
		close(resume)
		synctest.Wait()
		f.settle(f.expect(q, 0)[0], passed, outcome.Succeed())
		f.expect(q, 1)
	})
}

func TestWhatRestsHoldsUpItsLaneAloneAndComesAgainAsTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		q := f.laned(1, 1, 2, 3)
		tasks := f.expect(q, 0, 2, 3)
		f.settle(tasks[0], rested, outcome.RetryLater(10*time.Second, "Timeout", ""))
		f.settle(tasks[1], rested, outcome.RetryLater(2*time.Second, "Timeout", ""))
		f.settle(tasks[2], passed, outcome.Succeed())
		if f.running != 0 {
			t.Errorf("%d hands are held by messages that rest", f.running)
		}
		time.Sleep(2*time.Second - time.Nanosecond)
		synctest.Wait()
		f.expectNothing()
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		second := f.expect(q, 2)[0]
		f.expectNothing()
		if second.message.Reconsumed != 1 {
			t.Errorf("the second attempt says it was tried %d times", second.message.Reconsumed)
		}
		f.settle(second, rested, outcome.RetryLater(0, "Timeout", ""))
		time.Sleep(defaultRest)
		synctest.Wait()
		if third := f.expect(q, 2)[0]; third.message.Reconsumed != 2 {
			t.Errorf("the third attempt says it was tried %d times", third.message.Reconsumed)
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		f.settle(f.expect(q, 0)[0], passed, outcome.Succeed())
		f.expect(q, 1)
	})
}

func TestAReleaseRunsWhatIsBehindInALaneBelowTheHighestStarted(t *testing.T) {
	f := newFloor(t)
	q := f.laned(1, 1, 2, 1)
	tasks := f.expect(q, 0, 2)
	f.settle(tasks[1], passed, outcome.Succeed())
	f.giveUp(q)
	f.expectNothing()
	f.settle(tasks[0], passed, outcome.Succeed())
	if isDrained(q) {
		t.Fatal("drained before what was finished has nothing unfinished before it")
	}
	f.settle(f.expect(q, 1)[0], passed, outcome.Succeed())
	f.expectNothing()
	if !isDrained(q) || q.window.position() != 3 {
		t.Errorf("drained %v at position %d, want drained at 3", isDrained(q), q.window.position())
	}
}

func TestAReleaseDropsWhatRestsAndStartsNothingAboveIt(t *testing.T) {
	for name, before := range map[string]bool{"resting before": true, "that comes to rest meanwhile": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFloor(t)
				q := f.laned(1, 1, 2, 3, 3, 1, 3)
				tasks := f.expect(q, 0, 2, 3)
				for _, offset := range []int64{4, 6} {
					f.settle(tasks[2], passed, outcome.Succeed())
					tasks[2] = f.expect(q, offset)[0]
				}
				retry := outcome.RetryLater(time.Second, "Timeout", "")
				if before {
					f.settle(tasks[1], rested, retry)
					f.giveUp(q)
				} else {
					f.giveUp(q)
					f.settle(tasks[1], rested, retry)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				f.expectNothing() // not 2 again
				f.settle(tasks[2], passed, outcome.Succeed())
				f.settle(tasks[0], passed, outcome.Succeed())
				f.settle(f.expect(q, 1)[0], passed, outcome.Succeed())
				f.expectNothing() // nor 5, which lies above it
				if !isDrained(q) || q.window.position() != 2 {
					t.Errorf("drained %v at position %d, want drained at 2", isDrained(q), q.window.position())
				}
			})
		})
	}
}

func TestARestThatEndsAfterItsQueueIsGoneStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		q := f.laned(1)
		f.settle(f.expect(q, 0)[0], rested, outcome.RetryLater(time.Second, "Timeout", ""))
		f.forget(q)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		f.expectNothing()
	})
}

// TestLanesKeepEachKeysOrder compares a queue with lanes to the rule: what may start are, of each lane, the lowest unfinished message, unless it runs
// or rests.
func TestLanesKeepEachKeysOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFloor(t)
			q := f.laned()
			var lanes []uint64 // by offset
			done, due := map[int64]bool{}, map[int64]time.Time{}
			var running []task
			heads := func() (may []int64) {
				seen := map[uint64]bool{}
				for offset, lane := range lanes {
					o := int64(offset)
					if done[o] || seen[lane] {
						continue
					}
					seen[lane] = true
					if !due[o].After(time.Now()) && !slices.ContainsFunc(running, func(t task) bool { return t.message.Offset == o }) {
						may = append(may, o)
					}
				}
				return may
			}
			for range rapid.IntRange(1, 80).Draw(r, "steps") {
				switch rapid.SampledFrom([]string{"fetch", "begin", "begin", "pass", "rest", "elapse", "commit"}).Draw(r, "step") {
				case "fetch":
					more := rapid.SliceOfN(rapid.Uint64Range(0, 4), 0, min(8, q.window.room())).Draw(r, "lanes")
					lanes = append(lanes, more...)
					f.fetched(q, more...)
				case "begin":
					may := heads()
					task, ok := f.try()
					if ok != (len(may) > 0) || ok && task.message.Offset != may[0] {
						r.Fatalf("began %+v (%v), want the first of %v", task.message, ok, may)
					}
					if ok {
						running = append(running, task)
					}
				case "pass", "rest":
					if len(running) == 0 {
						continue
					}
					i := rapid.IntRange(0, len(running)-1).Draw(r, "which")
					task := running[i]
					running = slices.Delete(running, i, i+1)
					if rest := time.Duration(rapid.IntRange(0, 3).Draw(r, "rest")) * time.Second; rest > 0 {
						due[task.message.Offset] = time.Now().Add(rest)
						f.settle(task, rested, outcome.RetryLater(rest, "Timeout", ""))
					} else {
						done[task.message.Offset] = true
						f.settle(task, passed, outcome.Succeed())
					}
				case "elapse":
					time.Sleep(time.Duration(rapid.IntRange(1, 2).Draw(r, "seconds")) * time.Second)
					synctest.Wait()
					q.renewed = time.Now()
				case "commit":
					f.committed(q, q.window.position())
				}
				want := int64(0)
				for want < int64(len(lanes)) && done[want] {
					want++
				}
				if got := q.window.position(); got != want {
					r.Fatalf("the position is %d, want %d", got, want)
				}
			}
		})
	})
}
