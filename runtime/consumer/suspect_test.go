// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/journal"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// afterDeaths is a dispatcher whose process died so often while it handled the messages at these places of the broker's log.
func afterDeaths(t *testing.T, deaths int, places ...int64) *floor {
	t.Helper()
	var messages []rocketmq.Message
	for _, place := range places {
		messages = append(messages, rocketmq.Message{PhysicalOffset: place})
	}
	f := newFloor(t)
	f.journal = diedOf(t, deaths, messages...)
	return f
}

// diedOf is the journal of a process that died so often while it handled these messages.
func diedOf(t *testing.T, deaths int, messages ...rocketmq.Message) *journal.Journal {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	for range deaths {
		j := openJournal(t, path)
		for i := range messages {
			id, _ := identity(&messages[i])
			j.Begin(id)
		}
	}
	return openJournal(t, path)
}

func openJournal(t *testing.T, path string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, 20)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// placed adds a queue with messages at these places of the broker's log.
func (f *floor) placed(id int, places ...int64) *queue {
	q := f.queue(id, 0)
	var messages []rocketmq.Message
	for offset, place := range places {
		messages = append(messages, rocketmq.Message{Queue: q.id, Offset: int64(offset), PhysicalOffset: place})
	}
	f.put(q, messages, nil, 0, int64(len(places)))
	return q
}

func TestASuspectRunsAlone(t *testing.T) {
	f := afterDeaths(t, 1, 101, 102)
	a, b := f.placed(0, 100, 101, 102, 103), f.placed(1, 200, 201, 202)
	first, other := f.expect(a, 0)[0], f.expect(b, 0)[0]
	f.expectNothing() // 101 is next, and others run
	f.settle(first, passed, outcome.Succeed())
	f.expectNothing()
	f.settle(other, passed, outcome.Succeed())
	suspect := f.expect(a, 1)[0] // before the other queue's turn
	f.expectNothing()
	f.settle(suspect, passed, outcome.Succeed())
	other = f.expect(b, 1)[0]
	f.expectNothing()
	f.settle(other, passed, outcome.Succeed())
	f.settle(f.expect(a, 2)[0], passed, outcome.Succeed())
	f.expect(b, 2) // as ever
	f.expect(a, 3)
}

func TestAMessageThatKilledTheProcessThreeTimesHoldsUpNobody(t *testing.T) {
	f := afterDeaths(t, journal.Deadly, 101)
	q := f.placed(0, 100, 101, 102)
	tasks := f.expect(q, 0, 1, 2)
	if tasks[0].deaths != 0 || tasks[1].deaths != journal.Deadly || tasks[2].deaths != 0 {
		t.Errorf("%d, %d and %d deaths, want those of the second and no other", tasks[0].deaths, tasks[1].deaths, tasks[2].deaths)
	}
	o := (&Consumer{}).handle(&tasks[1])
	if o.Kind != outcome.Dead || o.Reason != CrashLoop || !o.Uncalled {
		t.Errorf("it ended as %+v", o)
	}
	f.settle(tasks[1], passed, o)
	if n := f.journal.Suspects(); n != 0 {
		t.Errorf("%d suspects are left", n)
	}
}

func TestASuspectWhoseQueueIsLostHoldsUpNobody(t *testing.T) {
	f := afterDeaths(t, 1, 101)
	a, b := f.placed(0, 100, 101), f.placed(1, 200)
	first := f.expect(a, 0)[0]
	f.expect(b, 0)
	c := f.placed(2, 300, 301)
	f.expectNothing() // 101 waits for two
	f.forget(a)
	f.settle(first, abandoned, outcome.Outcome{})
	f.forget(b)
	f.expectNothing() // b's message still runs
	f.mu.Lock()
	running := f.running
	f.mu.Unlock()
	if running != 1 {
		t.Fatalf("%d run, want the one of the queue that was lost", running)
	}
	f.settle(task{queue: b, place: journal.None}, abandoned, outcome.Outcome{})
	f.expect(c, 0, 1)
}

func TestASuspectThatParksStaysOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := afterDeaths(t, 1, 101)
		q := f.placed(0, 101, 102)
		suspect := f.expect(q, 0)[0]
		resume := make(chan struct{})
		f.settle(suspect, parked, outcome.ParkUntil(resume, "CircuitOpen", ""))
		close(resume)
		time.Sleep(probeSpacing)
		synctest.Wait()
		probe := f.expect(q, 0)[0] // the first probe is the lowest
		f.expectNothing()
		f.settle(probe, passed, outcome.Succeed())
		if n := f.journal.Suspects(); n != 0 {
			t.Errorf("%d suspects are left", n)
		}
		f.expect(q, 1)
	})
}

// TestWhoseBrokerIsAwayHoldsUpNobody has a suspect, and then what it would have to wait for, handled by the time their broker is away, which takes no outcome.
func TestWhoseBrokerIsAwayHoldsUpNobody(t *testing.T) {
	f := afterDeaths(t, 1, 101, 103)
	q := f.placed(0, 101, 102, 103, 104)
	suspect := f.expect(q, 0)[0]
	f.expectNothing()
	f.survive(suspect, true)
	other := f.expect(q, 1)[0]
	f.expectNothing() // 103 waits for it
	f.survive(other, true)
	second := f.expect(q, 2)[0]
	f.expectNothing()
	f.settle(suspect, passed, outcome.Outcome{Kind: outcome.Retry})
	f.settle(other, passed, outcome.Outcome{Kind: outcome.Retry})
	f.expectNothing() // it still runs
	f.settle(second, passed, outcome.Succeed())
	f.expect(q, 3)
	if n := f.journal.Suspects(); n != 0 {
		t.Errorf("%d suspects are left", n)
	}
}

func TestASuspectThatIsToBeSentBackToABrokerThatIsAwayHoldsUpNobody(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(1)
		journal := diedOf(t, 1, w.read(w.queues[0])...)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpSendBack, Code: rocketmq.CodeSystemError})
		x := w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Offset == 0 {
				return outcome.RetryLater(time.Second, "Busy", "")
			}
			return outcome.Succeed()
		}, func(cfg *Config) { cfg.Journal = journal })
		w.eventually("the suspect to be handled", 10*time.Second, func() bool { return w.ledger.by(x) == 1 })
		w.fill(3)
		w.eventually("the others to be handled", 10*time.Second, func() bool { return w.ledger.by(x) == 4 })
	})
}

func TestASuspectAsAProbeRunsAloneToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := afterDeaths(t, 1, 101)
		q := f.placed(0, 100, 102, 101)
		tasks := f.expect(q, 0, 1)
		resume := make(chan struct{})
		f.settle(tasks[0], parked, outcome.ParkUntil(resume, "CircuitOpen", ""))
		close(resume)
		time.Sleep(probeSpacing)
		synctest.Wait()
		q.probed = 1 // the last probe was message 0
		f.expectNothing()
		f.settle(tasks[1], passed, outcome.Succeed())
		probe := f.expect(q, 2)[0]
		f.settle(probe, passed, outcome.Succeed())
		f.expect(q, 0)
	})
}

func TestWhatNobodyWasCalledForOpensNoGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := afterDeaths(t, journal.Deadly, 100)
		q := f.placed(0, 100, 101, 102)
		tasks := f.expect(q, 0, 1)
		resume := make(chan struct{})
		f.settle(tasks[1], parked, outcome.ParkUntil(resume, "CircuitOpen", ""))
		f.settle(tasks[0], parked, outcome.ParkUntil(resume, "DeadLetterRefused", ""))
		close(resume)
		time.Sleep(probeSpacing)
		synctest.Wait()
		dead := f.expect(q, 0)[0]
		f.settle(dead, passed, (&Consumer{}).handle(&dead))
		f.expect(q, 1) // as a probe
		f.expectNothing()
	})
}

func TestAMessageIsTheSameOverItsRetries(t *testing.T) {
	first := rocketmq.Message{StoreHost: netip.MustParseAddrPort("10.1.2.3:10911"), PhysicalOffset: 4711}
	properties, err := rocketmq.EncodeProperties(rocketmq.Fields{{Name: rocketmq.PropertyOriginID, Value: first.ID()}})
	if err != nil {
		t.Fatal(err)
	}
	again := rocketmq.Message{StoreHost: first.StoreHost, PhysicalOffset: 9999, Reconsumed: 1}
	again.SetProperties(properties)
	other := rocketmq.Message{StoreHost: first.StoreHost, PhysicalOffset: 9999}
	a, _ := identity(&first)
	b, _ := identity(&again)
	c, _ := identity(&other)
	if a != b || a == c {
		t.Errorf("the first attempt is %x, the second %x, another message %x", a, b, c)
	}
}
