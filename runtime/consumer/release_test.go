// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestAQueueTakenByAnotherIsDroppedWithoutACommit(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		release := make(chan struct{})
		x := w.join("one", handlerWaiting(release))
		w.fill(10)
		w.eventually("messages in flight", 10*time.Second, func() bool { return x.Snapshot().InFlight == 10 })
		q := w.queues[0]
		w.must(w.client.Unlock(w.ctx(), w.masters[q.Broker], w.group, x.members.lock(), []rocketmq.Queue{q}))
		_, err := w.client.Lock(w.ctx(), w.masters[q.Broker], w.group, "another", []rocketmq.Queue{q})
		w.must(err)
		w.must(w.client.CommitOffset(w.ctx(), w.masters[q.Broker], w.group, q, 7))
		elapse(beatPeriod + time.Second)
		close(release)
		elapse(5 * time.Second)
		offset, err := w.client.QueryOffset(w.ctx(), w.masters[q.Broker], w.group, q)
		w.must(err)
		if offset != 7 {
			t.Errorf("the committed offset is %d, want the new owner's 7", offset)
		}
	})
}

func TestALockIsGivenBackOnlyAfterTheLastCommitWasAnswered(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", taking(50*time.Millisecond))
		w.awaitOwner(x)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpCommitOffset, Delay: 2 * time.Second})
		slow := time.Now()
		w.fill(256)
		elapse(100 * time.Millisecond)
		x.leave()
		calls := w.fake.Calls(0)
		unregistered := slices.IndexFunc(calls, func(c fake.Call) bool { return c.Op == rocketmq.OpUnregister })
		freed := 0
		for i, call := range calls {
			if call.Op != rocketmq.OpUnlock {
				continue
			}
			_, queues := lockedQueues(t, call)
			if strings.HasPrefix(queues[0].Topic, "%OWN%") {
				continue // the slot
			}
			freed++
			if i > unregistered {
				t.Errorf("%v was given back after we had left the group", queues)
			}
			for _, commit := range calls {
				last := commit.Op == rocketmq.OpCommitOffset && !commit.At.Before(slow) && commit.Fields.Get("queueId") == strconv.Itoa(queues[0].ID) && commit.Fields.Get("topic") == queues[0].Topic
				if last && call.At.Sub(commit.At) < 2*time.Second {
					t.Errorf("%v was given back %v after its commit was sent, before the answer", queues, call.At.Sub(commit.At))
				}
			}
		}
		if freed != 5 {
			t.Errorf("%d queues were given back, want all 5", freed)
		}
		if got := w.ledger.tally(); w.committed() != got.starts {
			t.Errorf("%d messages were handled and %d committed", got.starts, w.committed())
		}
	})
}

func TestALastCommitThatFailsIsRepeatedBeforeTheLockIsGivenBack(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", taking(50*time.Millisecond))
		w.awaitOwner(x)
		w.fill(256)
		elapse(20 * time.Millisecond)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpCommitOffset, Code: rocketmq.CodeSystemError, Times: 10})
		x.leave()
		if got := w.ledger.tally(); w.committed() != got.starts {
			t.Errorf("%d messages were handled and %d committed", got.starts, w.committed())
		}
	})
}

func TestWhatRunsBeyondTheGracePeriodIsCancelledAndLeftUncommitted(t *testing.T) {
	for name, ignore := range map[string]bool{"and returns": false, "and ignores it": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				released := make(chan struct{})
				handle := taking(time.Hour)
				if ignore {
					handle = handlerWaiting(released)
				}
				w.fill(3)
				x := w.join("one", func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
					if m.Offset == 0 {
						return outcome.Succeed()
					}
					return handle(ctx, m)
				})
				w.eventually("messages in flight", 10*time.Second, func() bool { return x.Snapshot().InFlight == 2 })
				begun := time.Now()
				x.stop()
				err := <-x.err
				x.stop = nil
				if took := time.Since(begun); took < x.cfg.Grace || took > x.cfg.Grace+callTimeout+3*stragglers {
					t.Errorf("stopped after %v, want the grace period of %v and little more", took, x.cfg.Grace)
				}
				if (err != nil) != ignore {
					t.Errorf("stop: %v", err)
				}
				close(released)
				if n := w.committed(); n != 1 {
					t.Errorf("offset %d is committed, want 1", n)
				}
				if sent := w.read(w.retryQueue("broker-a")); len(sent) != 0 {
					t.Errorf("%d messages that we cut short were sent back", len(sent))
				}
				if owner := w.lockedBy(w.queues[0]); owner != "" {
					t.Errorf("the queue is still locked by %q", owner)
				}
			})
		})
	}
}

func TestAHandOverCancelsWhatRunsBeyondTheGracePeriod(t *testing.T) {
	inBubble(t, 1, 2, func(t *testing.T, w *world) {
		never := make(chan struct{})
		one := w.join("one", func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Queue == w.queues[1] {
				<-ctx.Done()
				return outcome.ParkUntil(never, "Cancelled", "") // says nothing about the message
			}
			return outcome.Succeed()
		})
		w.awaitOwner(one)
		w.fill(128) // half of it in each queue
		w.eventually("messages in flight", 10*time.Second, func() bool { return one.Snapshot().InFlight == one.cfg.Concurrency })
		two := w.join("two", done)
		begun := time.Now()
		w.eventually("the second to have its share", 20*time.Second, func() bool { return two.owns() == 1 })
		if took := time.Since(begun); took < one.cfg.Grace || took > one.cfg.Grace+calm+hurry {
			t.Errorf("handed over after %v, want the grace period of %v and little more", took, one.cfg.Grace)
		}
		w.awaitHandled(128, 10*time.Second)
		if s := one.Snapshot(); s.Parked || s.InFlight != 0 {
			t.Errorf("parked %v, %d in flight; want neither for handlers that were cut short", s.Parked, s.InFlight)
		}
		if sent := w.read(w.retryQueue("broker-a")); len(sent) != 0 {
			t.Errorf("%d messages that we cut short were sent back", len(sent))
		}
	})
}

// A rollout goes on when a pod is ready: before its queues are handed over it would move the same queues again.
func TestANewcomerIsSettledWhenItsQueuesWereHandedOver(t *testing.T) {
	inBubble(t, 1, 2, func(t *testing.T, w *world) {
		one := w.join("one", taking(3*time.Second))
		w.awaitOwner(one)
		if !one.Snapshot().Settled {
			t.Error("who has all queues is not settled")
		}
		w.fill(128) // both queues have messages, and handlers run for 3 s
		w.eventually("messages to run", 20*time.Second, func() bool { return one.Snapshot().InFlight > 1 })
		two := w.join("two", taking(0))
		w.eventually("the second to be a member", 20*time.Second, func() bool { return two.Snapshot().Ready })
		if s := two.Snapshot(); s.Settled {
			t.Errorf("its queue is still being handed over, and it is settled: %+v", s)
		}
		w.eventually("the second to be settled", 20*time.Second, func() bool { return two.Snapshot().Settled })
		if n := len(two.Snapshot().Queues); n == 0 {
			t.Error("it is settled, and has no queue")
		}
	})
}

// A queue that another keeps, as one that hangs does, holds up no rollout for ever.
func TestANewcomerWaitsForItsQueuesForAWhileOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		c := &Consumer{dispatch: f.dispatcher, clock: newClock()}
		f.joined("one", true)
		time.Sleep(settlePatience - time.Nanosecond)
		if c.Snapshot().Settled {
			t.Error("its queues are missing, and it is settled")
		}
		time.Sleep(time.Nanosecond)
		if !c.Snapshot().Settled {
			t.Errorf("it is not settled after %v", settlePatience)
		}
	})
}
