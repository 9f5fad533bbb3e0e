// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/journal"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// mortals are pods that die of a message, each in turn, since the queue has moved on before one is back.
type mortals struct {
	w    *world
	dir  string
	dies func(m *rocketmq.Message) bool
	// begin has those that are to be started, died those that have ended.
	begin, died chan int
	lives       map[int]int
}

// journal is a pod's in one of its lives.
func (s *mortals) journal(pod, life int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%d-%d", pod, life))
}

// start starts a pod, whose handler dies of what kills it, or says what handle says.
func (s *mortals) start(pod int, handle handlerFunc) {
	t, life, born := s.w.t, s.lives[pod], make(chan struct{})
	s.lives[pod]++
	var x *member
	x = s.w.join(fmt.Sprint("pod-", pod), func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
		if !s.dies(m) {
			return handle(ctx, m)
		}
		<-born
		last, err := os.ReadFile(s.journal(pod, life))
		if err == nil { // what comes after it the dead do not write
			err = os.WriteFile(s.journal(pod, life+1), last, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
		x.kill()
		s.died <- pod
		<-ctx.Done()
		return outcome.Succeed()
	}, func(cfg *Config) {
		var err error
		cfg.Journal, err = journal.Open(s.journal(pod, life), 20)
		s.w.must(err)
	})
	close(born)
}

func TestAMessageThatKillsThreePodsInTurnKillsOneOfThemThreeTimes(t *testing.T) {
	const pods, most, backOff = 3, 7, 20 * time.Second
	again := func(m *rocketmq.Message) bool { return m.Reconsumed > 0 }
	for name, tt := range map[string]struct {
		ways []way
		dies func(m *rocketmq.Message) bool
	}{
		"where it was sent": {everyWay(), func(m *rocketmq.Message) bool { return string(m.Body) == "0" }},
		"sent back":         {concurrently(), again},
	} {
		for _, way := range tt.ways {
			t.Run(name+" "+way.name, func(t *testing.T) {
				inBubble(t, 1, 1, way.in(func(t *testing.T, w *world) {
					s := &mortals{w: w, dir: t.TempDir(), dies: tt.dies, begin: make(chan int, pods), died: make(chan int, pods), lives: map[int]int{}}
					w.fill(5)
					for pod := range pods {
						s.begin <- pod
					}
					deaths, late := 0, time.After(10*time.Minute)
					for letters := w.deadLetters(w.onlyBroker()); len(w.read(letters)) == 0 || w.committed() < 5; {
						select {
						case pod := <-s.begin:
							s.start(pod, func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
								if string(m.Body) == "0" {
									return outcome.RetryLater(time.Second, "Busy", "")
								}
								return outcome.Succeed()
							})
						case pod := <-s.died:
							deaths++
							time.AfterFunc(backOff, func() { s.begin <- pod })
						case <-time.After(100 * time.Millisecond):
						case <-late:
							t.Fatalf("no end after %d deaths", deaths)
						}
					}
					if letter := w.read(w.deadLetters(w.onlyBroker()))[0]; string(letter.Body) != "0" || letter.Property(PropertyReason) != string(CrashLoop) {
						t.Errorf("message %s is a dead letter, for %s", letter.Body, letter.Property(PropertyReason))
					}
					if deaths != most {
						t.Errorf("%d deaths of %d pods, want %d", deaths, pods, most)
					}
				}))
			})
		}
	}
}

func TestAMarkEndsWhatKilledHereNearlyAsOften(t *testing.T) {
	for name, tt := range map[string]struct {
		pod    string
		deaths int
		beside int64 // what tells the marked message from this one
		anew   bool  // the topic is made anew after it was marked
		ends   bool
	}{
		"another pod's": {"another", journal.Deadly - 1, 0, false, true},
		"another pod's, of a message that killed here once":           {"another", 1, 0, false, false},
		"another pod's, of a message that shares the place":           {"another", journal.Deadly - 1, 1 << podBits, false, false},
		"another pod's, of what was at the message's offset formerly": {"another", journal.Deadly - 1, 0, true, false},
		"our own, of a run that did not kill":                         {"one", journal.Deadly - 1, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				w.fill(1)
				place, mark := w.mark(tt.pod)
				w.must(w.client.CommitOffset(w.ctx(), w.masters[place.Broker], w.group, place, mark^tt.beside))
				if tt.anew {
					addr := w.masters[w.onlyBroker()]
					w.must(w.client.DeleteTopic(w.ctx(), addr, w.topic))
					w.createTopic(addr, w.topic, 1)
					w.seed(w.queues...)
					w.fill(1)
				}
				before := diedOf(t, tt.deaths, w.read(w.queues[0])...)
				x := w.join("one", done, func(cfg *Config) { cfg.Journal = before })
				w.eventually("the message to end", 20*time.Second, func() bool { return w.committed() == 1 })
				letters := w.read(w.deadLetters(w.onlyBroker()))
				if ended := len(letters) == 1 && letters[0].Property(PropertyReason) == string(CrashLoop); ended != tt.ends || ended == (w.ledger.by(x) == 1) {
					t.Errorf("handled %d times, %d dead letters", w.ledger.by(x), len(letters))
				}
			})
		})
	}
}

// mark is a pod's of the only message.
func (w *world) mark(pod string) (place rocketmq.Queue, mark int64) {
	w.t.Helper()
	return (&Consumer{cfg: Config{Group: w.group, Instance: pod}}).mark(&w.read(w.queues[0])[0])
}

func TestAMessageThatSurvivesItsLastRunIsMarkedNoMore(t *testing.T) {
	for name, refusals := range map[string]int{"": 0, ", which the broker hears late": 3} {
		for _, way := range concurrently() {
			t.Run(way.name+name, func(t *testing.T) {
				inBubble(t, 1, 1, way.in(func(t *testing.T, w *world) {
					w.fill(1)
					read := w.read(w.queues[0])
					place, mark := w.mark("one")
					marked := func() int64 {
						mark, err := w.client.QueryOffset(w.ctx(), w.masters[place.Broker], w.group, place)
						w.must(err)
						return mark
					}
					handle := func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
						if m.Reconsumed > 0 {
							return outcome.Succeed()
						}
						if marked() != mark {
							t.Error("its last run begins without a mark")
						}
						if refusals > 0 {
							w.fake.Inject(fake.Fault{Op: rocketmq.OpCommitOffset, Code: rocketmq.CodeSystemError, Times: refusals})
						}
						return outcome.RetryLater(10*time.Second, "Busy", "")
					}
					first, second := diedOf(t, journal.Deadly-1, read...), diedOf(t, journal.Deadly-1, read...)
					x := w.join("one", handle, func(cfg *Config) { cfg.Journal = first })
					w.eventually("it to be sent back, and marked no more", 5*time.Second, func() bool { return w.committed() == 1 && marked() == unmarked })
					x.leave()
					y := w.join("two", handle, func(cfg *Config) { cfg.Journal = second })
					w.eventually("it to be handled", 30*time.Second, func() bool { return w.ledger.by(y) == 1 })
				}))
			})
		}
	}
}

func TestALastRunThatIsCutShortSinceTheQueueMovesHarmsNothing(t *testing.T) {
	for name, o := range map[string]outcome.Outcome{"retried": outcome.RetryLater(0, "Cut", ""), "parked": outcome.ParkUntil(make(chan struct{}), "Cut", "")} {
		for _, way := range everyWay() {
			t.Run(name+" "+way.name, func(t *testing.T) {
				inBubble(t, 1, 1, way.in(func(t *testing.T, w *world) {
					w.fill(1)
					read := w.read(w.queues[0])
					first, second := diedOf(t, journal.Deadly-1, read...), diedOf(t, journal.Deadly-1, read...)
					x := w.join("two", func(ctx context.Context, _ *rocketmq.Message) outcome.Outcome {
						<-ctx.Done()
						return o
					}, func(cfg *Config) { cfg.Journal = first })
					w.eventually("the last run", 10*time.Second, func() bool { return x.Snapshot().InFlight == 1 })
					y := w.join("one", done, func(cfg *Config) { cfg.Journal = second })
					w.eventually("another to handle it", 30*time.Second, func() bool { return w.ledger.by(y) == 1 && w.committed() == 1 })
				}))
			})
		}
	}
}

func TestALastRunThatParksOpensNoGateWhereItsMarkStands(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(2)
		before, o := diedOf(t, journal.Deadly-1, w.read(w.queues[0])[0]), &noting{}
		resume := make(chan struct{})
		close(resume)
		x := w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Offset == 0 {
				w.fake.Inject(fake.Fault{Op: rocketmq.OpCommitOffset, Code: rocketmq.CodeSystemError, Times: 1})
			}
			return outcome.ParkUntil(resume, "CircuitOpen", "")
		}, o.observe, func(cfg *Config) { cfg.Journal = before })
		w.eventually("some probes", 20*time.Second, func() bool { return w.ledger.by(x) > 20 })
		if n := o.count("Resumed"); n != 0 {
			t.Errorf("the gate opened %d times, though all that was tried has parked", n)
		}
	})
}

func TestAMessageThatCannotBeMarkedWaitsAndHoldsUpNobody(t *testing.T) {
	for name, op := range map[string]rocketmq.Op{"read": rocketmq.OpQueryOffset, "written": rocketmq.OpCommitOffset} {
		for _, way := range everyWay() {
			t.Run(name+" "+way.name, func(t *testing.T) {
				inBubble(t, 1, 2, way.in(func(t *testing.T, w *world) {
					w.sendTo(w.queues[0])
					w.sendTo(w.queues[0])
					before := diedOf(t, journal.Deadly-1, w.read(w.queues[0])[1])
					refuse := make(chan struct{})
					x := w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
						if string(m.Body) == "0" {
							<-refuse // the suspect waits for it
						}
						return outcome.Succeed()
					}, func(cfg *Config) { cfg.Journal = before })
					w.awaitOwner(x)
					w.eventually("the first", 10*time.Second, func() bool { return x.Snapshot().InFlight == 1 })
					w.fake.Inject(fake.Fault{Op: op, Code: rocketmq.CodeSystemError})
					close(refuse)
					for range 10 {
						w.sendTo(w.queues[1])
					}
					w.eventually("all others", 3*time.Second, func() bool { return w.ledger.tally().unique == 11 })
					time.Sleep(10 * markPause)
					if n := w.ledger.tally().unique; n != 11 {
						t.Fatalf("%d messages were handled, want all but the one that cannot be marked", n)
					}
					w.fake.Heal()
					w.eventually("the suspect", 5*time.Second, func() bool { return w.ledger.tally().unique == 12 })
				}))
			})
		}
	}
}
