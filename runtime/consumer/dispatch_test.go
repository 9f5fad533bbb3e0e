// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/fence"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// floor is a dispatcher with queues that are covered, and no consumer around it.
type floor struct {
	*dispatcher
	t    *testing.T
	link *link
}

func newFloor(t *testing.T) *floor {
	f := &floor{dispatcher: newDispatcher(Unobserved{}, nil, false, defaultMaxBytes), t: t, link: newLink("b", "b:1")}
	f.link.confirmed = f.link.generation
	t.Cleanup(f.close)
	return f
}

// queue adds a live queue with n messages.
func (f *floor) queue(id, n int) *queue {
	q := newQueue(context.Background(), rocketmq.Queue{Topic: "T", Broker: "b", ID: id}, f.link, rocketmq.Subscription{}, time.Now())
	f.add(q)
	f.open(q, 256, 0)
	var messages []rocketmq.Message
	for offset := range n {
		messages = append(messages, rocketmq.Message{Queue: q.id, Offset: int64(offset)})
	}
	f.put(q, messages, nil, 0, int64(n))
	return q
}

// try takes a message if one may start now.
func (f *floor) try() (t task, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next()
}

// expect takes messages of the queue at the given offsets.
func (f *floor) expect(q *queue, offsets ...int64) []task {
	f.t.Helper()
	var tasks []task
	for _, offset := range offsets {
		t, ok := f.try()
		if !ok || t.queue != q || t.message.Offset != offset {
			f.t.Fatalf("got %+v, %v; want offset %d of queue %v", t.message, ok, offset, q.id)
		}
		tasks = append(tasks, t)
	}
	return tasks
}

func (f *floor) expectNothing() {
	f.t.Helper()
	if t, ok := f.try(); ok {
		f.t.Fatalf("offset %d of queue %v was handed out", t.message.Offset, t.queue.id)
	}
}

func (f *floor) giveUp(q *queue) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.release(q)
}

func isDrained(q *queue) bool {
	select {
	case <-q.drained:
		return true
	default:
		return false
	}
}

func TestAQueueJustGainedIsServedBeforeTheBacklogOfTheOthers(t *testing.T) {
	f := newFloor(t)
	old := f.queue(0, 200)
	f.expect(old, 0)
	fresh := f.queue(1, 1)
	f.expect(old, 1)
	f.expect(fresh, 0)
}

func TestAReleaseRunsWhatLiesBelowTheHighestStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		q := f.queue(0, 5)
		tasks := f.expect(q, 0, 1)
		first, second := make(chan struct{}), make(chan struct{})
		f.settle(tasks[0], parked, outcome.ParkUntil(first, "Down", ""))
		close(first)
		synctest.Wait()
		probe := f.expect(q, 0)[0]
		f.settle(probe, parked, outcome.ParkUntil(second, "Down", ""))
		close(second)
		time.Sleep(probeSpacing)
		synctest.Wait()
		f.settle(f.expect(q, 2)[0], passed, outcome.Succeed()) // another than was the last probe
		// now 0 waits although 1 runs and 2 is finished
		f.giveUp(q)
		left := f.expect(q, 0)[0]
		f.expectNothing()
		f.settle(tasks[1], passed, outcome.Succeed())
		if isDrained(q) {
			t.Fatal("drained while a message below the highest started runs")
		}
		f.settle(left, passed, outcome.Succeed())
		if !isDrained(q) || q.window.position() != 3 {
			t.Errorf("drained %v at position %d, want drained at 3", isDrained(q), q.window.position())
		}
	})
}

func TestAReleaseDropsWhatIsParked(t *testing.T) {
	f := newFloor(t)
	q := f.queue(0, 5)
	tasks := f.expect(q, 0, 1)
	f.settle(tasks[1], passed, outcome.Succeed())
	f.settle(tasks[0], parked, outcome.ParkUntil(make(chan struct{}), "Down", ""))
	f.giveUp(q)
	if !isDrained(q) || q.window.position() != 0 {
		t.Errorf("drained %v at position %d, want drained at 0", isDrained(q), q.window.position())
	}
}

func TestAQueueParkedDuringItsReleaseIsDrainedAtOnce(t *testing.T) {
	f := newFloor(t)
	q := f.queue(0, 5)
	tasks := f.expect(q, 0, 1)
	f.giveUp(q)
	f.settle(tasks[0], parked, outcome.ParkUntil(make(chan struct{}), "Down", ""))
	f.settle(tasks[1], passed, outcome.Succeed())
	if !isDrained(q) || q.window.position() != 0 {
		t.Errorf("drained %v at position %d, want drained at 0", isDrained(q), q.window.position())
	}
}

func TestNothingStartsAndNothingIsCommittedUnlessTheQueueIsCovered(t *testing.T) {
	for name, uncover := range map[string]func(f *floor){
		"the lock was confirmed 40 s ago": func(*floor) { time.Sleep(fenceAge) },
		"the connection broke":            func(f *floor) { f.broken("b:1") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFloor(t)
				f.links["b"] = f.link
				q := f.queue(0, 5)
				f.settle(f.expect(q, 0)[0], passed, outcome.Succeed())
				if _, due := f.due(q); !due {
					t.Fatal("nothing to commit while the queue is covered")
				}
				uncover(f)
				f.expectNothing()
				if fence.Stands(q.ctx) {
					t.Error("the fence of what is being handled stands")
				}
				if _, due := f.due(q); due {
					t.Error("a commit is due although the queue may be another's")
				}
				generation, _ := f.generation(f.link)
				f.confirm(f.link, generation, time.Now(), []rocketmq.Queue{q.id})
				f.expect(q, 1)
				if !fence.Stands(q.ctx) {
					t.Error("the fence does not stand again")
				}
				if _, due := f.due(q); !due {
					t.Error("no commit is due after the queue was confirmed again")
				}
			})
		})
	}
}

func TestAQueueThatWasAnothersWhileItsLockWasNotCertainIsDropped(t *testing.T) {
	for name, tt := range map[string]struct {
		age    time.Duration
		absent bool
		offset int64
		drops  bool
	}{
		"another has moved on, and we were frozen":          {fenceAge, false, 7, true},
		"another has moved on, and we were away":            {0, true, 7, true},
		"nobody could have it":                              {fenceAge - 1, false, 7, false},
		"nobody has had it":                                 {fenceAge, true, 1, false},
		"our last commit arrived, and its answer did not":   {fenceAge, true, 2, false},
		"the broker came back without what it had not kept": {fenceAge, true, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFloor(t)
				q := f.queue(0, 5)
				tasks := f.expect(q, 0, 1)
				f.settle(tasks[0], passed, outcome.Succeed())
				f.committed(q, 1)
				f.settle(tasks[1], passed, outcome.Succeed())
				f.due(q) // a commit of 2 is sent
				time.Sleep(tt.age)
				f.link.absent = tt.absent
				for _, q := range f.uncertain(f.link, time.Now(), []rocketmq.Queue{q.id}) {
					f.dispossess(q, tt.offset)
				}
				if dropped := q.phase == gone; dropped != tt.drops {
					t.Errorf("dropped: %v, want %v", dropped, tt.drops)
				}
				if !tt.drops && q.window.committed != min(1, tt.offset) && tt.offset != 7 {
					t.Errorf("the broker is thought to have %d, and has %d", q.window.committed, tt.offset)
				}
			})
		})
	}
}

func TestALateResultOfAReleasedQueueIsDropped(t *testing.T) {
	f := newFloor(t)
	q := f.queue(0, 0)
	f.giveUp(q)
	f.put(q, nil, nil, 0, 5)
	f.put(q, []rocketmq.Message{{Offset: 5}}, nil, 0, 6)
	f.expectNothing()
	if q.window.position() != 0 {
		t.Errorf("the position moved to %d", q.window.position())
	}
}

func TestEachProbeTakesAnotherMessageThanTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		a, b := f.queue(0, 2), f.queue(1, 1)
		first := f.expect(a, 0)[0]
		probed := map[rocketmq.Queue]map[int64]bool{a.id: {}, b.id: {}}
		last, lastOffset := a.id, int64(0)
		failing := first
		for range 6 {
			resume := make(chan struct{})
			f.settle(failing, parked, outcome.ParkUntil(resume, "Down", ""))
			f.expectNothing()
			close(resume)
			time.Sleep(probeSpacing)
			synctest.Wait()
			probe, ok := f.try()
			if !ok {
				t.Fatal("no probe is handed out")
			}
			f.expectNothing() // one at a time
			if probe.queue.id == last && probe.message.Offset == lastOffset && failing != first {
				t.Fatalf("offset %d of queue %d probed twice in a row", lastOffset, last.ID)
			}
			last, lastOffset, failing = probe.queue.id, probe.message.Offset, probe
			probed[last][lastOffset] = true
		}
		if len(probed[a.id]) != 2 || len(probed[b.id]) != 1 {
			t.Errorf("probed %v, want every held message", probed)
		}
		f.settle(failing, passed, outcome.Succeed())
		if _, ok := f.try(); !ok {
			t.Error("nothing flows after the probe came back")
		}
	})
}

func TestAResumeThatIsClosedAtOnceDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		f.queue(0, 3)
		resume := make(chan struct{})
		close(resume)
		begun, probes := time.Now(), 0
		for time.Since(begun) < time.Second {
			task, ok := f.try()
			if !ok {
				time.Sleep(time.Millisecond)
				continue
			}
			probes++
			f.settle(task, parked, outcome.ParkUntil(resume, "Down", ""))
		}
		if most := int(time.Second/probeSpacing) + 2; probes > most || probes < 10 {
			t.Errorf("%d probes in a second, want about %d", probes, most-2)
		}
	})
}

func TestALostQueueIsNeitherHandedOutNorCommitted(t *testing.T) {
	f := newFloor(t)
	q := f.queue(0, 5)
	f.settle(f.expect(q, 0)[0], passed, outcome.Succeed())
	f.forget(q)
	f.expectNothing()
	if _, due := f.due(q); due {
		t.Error("a commit is due of a queue that is another's")
	}
	if q.ctx.Err() == nil {
		t.Error("its handlers are not told to stop")
	}
}

func TestEverybodyWhoWaitsGetsAMessageIfThereAreEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		const hands = 5
		got := make(chan task, hands)
		for range hands {
			go func() {
				if task, ok := f.take(); ok {
					got <- task
				}
			}()
		}
		synctest.Wait()
		f.queue(0, hands)
		synctest.Wait()
		if len(got) != hands {
			t.Errorf("%d of %d that waited got a message", len(got), hands)
		}
	})
}

func TestWhoTakesAMessageBackGetsTheNextAtTheSameTurn(t *testing.T) {
	f := newFloor(t)
	q := f.laned(1, 1)
	first := f.expect(q, 0)[0]
	f.expectNothing()
	next, ok := f.exchange(first, passed, outcome.Succeed())
	if !ok || next.message.Offset != 1 {
		t.Fatalf("got %+v, %v; want offset 1", next.message, ok)
	}
	if last, ok := f.exchange(next, passed, outcome.Succeed()); ok {
		t.Errorf("got %+v, want nothing", last.message)
	}
}

func TestWhoSettlesWithoutTakingTheNextWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		q := f.laned(1, 1)
		swept := f.expect(q, 0)[0]
		got := make(chan task, 1)
		go func() {
			if task, ok := f.take(); ok {
				got <- task
			}
		}()
		synctest.Wait()
		f.settle(swept, passed, outcome.Succeed())
		synctest.Wait()
		if len(got) != 1 {
			t.Error("the next message of the lane waits, and so does who would take it")
		}
	})
}

func TestOnlyWhatCanBeAProbeKeepsOthersFromBeingFetched(t *testing.T) {
	for sentence, tt := range map[string]struct {
		change func(*queue)
		barred bool
	}{
		"two messages can be":                           {func(*queue) {}, true},
		"one of a broker that is away cannot":           {func(q *queue) { q.renewed = time.Now().Add(-2 * fenceAge) }, false},
		"nor can one of a queue that is to be given up": {func(q *queue) { q.phase = releasing }, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := newFloor(t)
			f.queue(0, 1)
			q := f.queue(1, 1)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.gate.state = shut
			tt.change(q)
			if got := f.barred(); got != tt.barred {
				t.Errorf("barred is %v, want %v", got, tt.barred)
			}
			q.phase = gone
		})
	}
}
