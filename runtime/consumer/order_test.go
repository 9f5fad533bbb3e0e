// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/fence"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// keys is how many order keys there are in tests: a message's is its number, modulo.
const keys = 64

// keyOf is the key of a message with such a body.
func keyOf(body string) int {
	n, err := strconv.Atoi(body)
	if err != nil {
		panic(err)
	}
	return n % keys
}

// orderly makes a consumer keep the order of each key.
func orderly(cfg *Config) {
	cfg.OrderKey = func(m *rocketmq.Message) (string, error) { return strconv.Itoa(keyOf(trimmed(m.Body))), nil }
}

// reordered counts messages that were started before an earlier one of their key and queue had been, or while another of them was under way at a living
// member. What comes again, from an offset that was committed, comes in order again.
func (l *ledger) reordered() int {
	type lane struct {
		queue rocketmq.Queue
		key   int
	}
	type last struct {
		event
		highest int64
	}
	lanes, n := map[lane]last{}, 0
	for _, e := range l.all() {
		at := lane{e.queue, keyOf(e.body)}
		before, known := lanes[at]
		again := known && e.member != before.member // begins from the committed offset
		overlaps := known && !l.isDead(before.member) && (before.ended.IsZero() || before.ended.After(e.started))
		if known && (overlaps || !again && e.offset < before.offset || e.offset > before.highest && e.offset < before.offset) {
			n++
		}
		lanes[at] = last{e, max(before.highest, e.offset)}
	}
	return n
}

func (l *ledger) isDead(x *member) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead[x]
}

func TestPoisonHoldsUpItsKeyOnlyAndForItsAttemptsOnly(t *testing.T) {
	inEach(t, inOrder(), 2, func(t *testing.T, w *world) {
		const attempts, delay = 3, 3 * time.Second // between which all others begin, on a busy machine, too
		w.fill(4 * keys)
		poisoned := func(m *rocketmq.Message) bool { return trimmed(m.Body) == "0" }
		w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			switch {
			case !poisoned(m):
				return outcome.Succeed()
			case m.Reconsumed+1 < attempts:
				return outcome.RetryLater(delay, "Timeout", "")
			}
			return outcome.Kill("RetriesExhausted", "Timeout")
		}, func(cfg *Config) { cfg.Concurrency = 2 })
		w.awaitHandled(4*keys, 30*time.Second)

		letters := w.awaitDeadLetters(1, 5*time.Second)
		if got := letters[0].Property(PropertyAttempts); len(letters) != 1 || got != strconv.Itoa(attempts) || letters[0].Property(PropertyReason) != "RetriesExhausted" {
			t.Errorf("%d dead letters, after %s attempts; want one after %d", len(letters), got, attempts)
		}
		if back := w.read(w.retryQueue(w.onlyBroker())); len(back) != 0 {
			t.Errorf("%d messages were sent back: their order is lost", len(back))
		}
		var tried []event
		for _, e := range w.ledger.all() {
			switch {
			case e.body == "0":
				tried = append(tried, e)
			case keyOf(e.body) == 0 && e.queue == w.queues[0] && len(tried) < attempts:
				t.Errorf("message %s was started before the one before it was given up", e.body)
			case keyOf(e.body) != 0 && len(tried) >= attempts:
				t.Errorf("message %s, of another key, waited for the poisonous one", e.body)
			}
		}
		for i, e := range tried {
			if e.reconsumed != i || i > 0 && e.started.Sub(tried[i-1].ended) < delay {
				t.Errorf("attempt %d says it was tried %d times, and began %v after the last", i+1, e.reconsumed, e.started.Sub(tried[max(0, i-1)].ended))
			}
		}
		if n := w.ledger.reordered(); n != 0 {
			t.Errorf("%d messages were handled out of order", n)
		}
	})
}

func TestMessagesWithoutAKeyAreHandledInOrderToo(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(50)
		w.join("one", between(time.Millisecond, 20*time.Millisecond), func(cfg *Config) {
			cfg.OrderKey = func(*rocketmq.Message) (string, error) { return "", nil }
		})
		w.awaitHandled(50, 10*time.Second)
		for i, e := range w.ledger.all() {
			if e.body != fmt.Sprint(i) {
				t.Fatalf("message %s was handled as number %d", e.body, i)
			}
		}
	})
}

func TestAMessageWhoseKeyCannotBeToldIsADeadLetterThatSaysSo(t *testing.T) {
	for name, fail := range map[string]func() (string, error){
		"by an error": func() (string, error) { return "", errors.New("consume.orderKeyExpression: order has no id") },
		"by a panic":  func() (string, error) { panic("no such key") },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				w.join("one", done, func(cfg *Config) {
					cfg.OrderKey = func(m *rocketmq.Message) (string, error) {
						if trimmed(m.Body) == "1" {
							return fail()
						}
						return "k", nil
					}
				})
				w.fill(3)
				letter := w.awaitDeadLetters(1, 10*time.Second)[0]
				if trimmed(letter.Body) != "1" || letter.Property(PropertyReason) != string(OrderKeyFailed) || letter.Property(PropertyDetail) == "" {
					t.Errorf("the dead letter of %s has the reason %q with %q", letter.Body, letter.Property(PropertyReason), letter.Property(PropertyDetail))
				}
				w.eventually("all three to be passed", 10*time.Second, func() bool { return w.committed() == 3 })
				if got := w.ledger.tally(); got.starts != 2 {
					t.Errorf("%d messages were handled, want the two others", got.starts)
				}
			})
		})
	}
}

func TestALaneIsFreedFromAMessageThatNoPlanEnds(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(2)
		w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Offset == 0 {
				panic("no such key")
			}
			return outcome.Succeed()
		}, orderly, func(cfg *Config) { cfg.MaxAttempts = 3 })
		letter := w.awaitDeadLetters(1, time.Minute)[0]
		if got, want := letter.Property(PropertyAttempts), strconv.Itoa(3+margin+1); got != want || letter.Property(PropertyReason) != string(HandlerPanic) {
			t.Errorf("given up after %s attempts for %q, want %s for %s", got, letter.Property(PropertyReason), want, HandlerPanic)
		}
		w.eventually("the other to be handled", time.Second, func() bool { return w.committed() == 2 })
	})
}

func TestWhatRestsIsHandedOverAtOnceAndTriedByTheNextOwner(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(1)
		one := w.join("one", always(outcome.RetryLater(time.Hour, "Timeout", "")), orderly)
		w.eventually("the first attempt", 10*time.Second, func() bool { return w.ledger.tally().starts == 1 })
		begun := time.Now()
		one.leave()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("left after %v", took)
		}
		w.join("two", done, orderly)
		w.awaitHandled(1, 10*time.Second)
		if events := w.ledger.all(); len(events) != 2 || events[1].reconsumed != 0 {
			t.Errorf("attempts %+v; want another at the next owner, which counts anew", events)
		}
	})
}

func TestALaneThatRestsDoesNotKeepABatchFromOthers(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		x := w.join("one", nil, pulling, orderly, func(cfg *Config) { cfg.Handler = nil })
		w.awaitOwner(x)
		for range 40 { // of one key
			w.sendTo(w.queues[0])
			w.nextMessage += keys - 1
		}
		batch, err := x.Batch(t.Context(), 10)
		w.must(err)
		if len(batch) != 1 {
			t.Fatalf("a batch of %d messages of one key", len(batch))
		}
		batch[0].Complete(outcome.RetryLater(time.Hour, "Timeout", ""))
		w.nextMessage++
		w.sendTo(w.queues[0]) // of another key
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		batch, err = x.Batch(ctx, 10)
		w.must(err)
		if len(batch) != 1 || keyOf(trimmed(batch[0].Message.Body)) == 0 {
			t.Errorf("a batch of %d messages, want the one of another key", len(batch))
		}
		w.nextMessage += keys - 1
		w.sendTo(w.queues[0]) // behind it
		time.AfterFunc(100*time.Millisecond, func() { batch[0].Complete(outcome.Succeed()) })
		next, err := x.Batch(ctx, 10)
		w.must(err)
		next[0].Complete(outcome.Succeed())
	})
}

func TestAMemberThatIsCutOffStartsNothingWhileItsQueuesMove(t *testing.T) {
	inEach(t, inOrder(), 8, func(t *testing.T, w *world) {
		busy, soon := between(10*time.Millisecond, 100*time.Millisecond), time.Millisecond
		if w.fake == nil {
			soon = memberGrace / 2
		}
		one := w.join("one", func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
			if keyOf(trimmed(m.Body)) == 0 && m.Reconsumed == 0 {
				return outcome.RetryLater(2*time.Second, "Timeout", "") // which ends while it is cut off
			}
			return busy(ctx, m)
		})
		w.awaitOwner(one)
		w.fill(40 * keys)
		w.eventually("messages in flight", 10*time.Second, func() bool { return w.ledger.tally().starts > 3*keys })
		one.lockOut(true)
		one.cut()
		begun := time.Now()
		elapse(time.Millisecond)
		two := w.join("two", busy)
		w.awaitOwner(two)
		if moved := time.Since(begun); moved < memberGrace {
			t.Errorf("its queues moved after %v, before the grace period", moved)
		}
		w.eventually("the other to handle the rest", time.Minute, func() bool { return w.committed() == 40*keys })
		one.lockOut(false)
		w.eventually("it to be back", time.Minute, func() bool { return one.owns() == 4 && two.owns() == 4 })
		moved := map[rocketmq.Queue]bool{}
		for _, e := range w.ledger.all() {
			if moved[e.queue] = moved[e.queue] || e.member == two; moved[e.queue] && e.member == one || e.member == one && e.started.Sub(begun) > soon {
				t.Fatalf("message %s was started by the member that was cut off, %v later", e.body, e.started.Sub(begun))
			}
		}
		if n := w.ledger.reordered(); n != 0 {
			t.Errorf("%d messages were handled out of order", n)
		}
	})
}

// freeze lets a member take a message and hear no more, until another has its queues and has handled the message.
func (w *world) freeze(x *member) {
	w.t.Helper()
	w.awaitOwner(x)
	w.fill(1)
	w.eventually("the message to be taken", 10*time.Second, func() bool { return x.Snapshot().InFlight == 1 })
	x.lockOut(true)
	x.cut()
	other := w.join("two", done)
	w.awaitHandled(1, time.Minute)
	w.eventually("the other to have all", 10*time.Second, func() bool { return other.owns() == len(w.queues) })
}

func TestWhatWasTakenBeforeAFreezeCallsNobodyAfterIt(t *testing.T) {
	for _, way := range everyWay() {
		t.Run(way.name, func(t *testing.T) {
			inBubble(t, 1, 2, way.in(func(t *testing.T, w *world) {
				freeze, calls := make(chan struct{}), 0
				resume := make(chan struct{})
				close(resume)
				frozen := func(ctx context.Context, _ *rocketmq.Message) outcome.Outcome {
					<-freeze
					if !fence.Stands(ctx) {
						return outcome.ParkUntil(resume, "Stopping", "")
					}
					calls++
					return outcome.Succeed()
				}
				one := w.join("one", frozen)
				w.freeze(one)
				close(freeze)
				elapse(10 * time.Millisecond) // nothing has told it yet
				if s := one.Snapshot(); calls != 0 || s.Parked {
					t.Errorf("%d calls, parked %v; want none, and nobody blamed", calls, s.Parked)
				}
				one.lockOut(false)
				elapse(time.Minute)
				if calls != 0 || w.committed() != 1 {
					t.Errorf("%d calls in the end, %d committed; want the other's only", calls, w.committed())
				}
			}))
		})
	}
}

func TestWhatWasInFlightBeforeAFreezeIsNotGivenBackAfterIt(t *testing.T) {
	for name, o := range map[string]outcome.Outcome{"a retry": outcome.RetryLater(0, "Timeout", ""), "a dead letter": outcome.Kill("BadRequest", "")} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 2, func(t *testing.T, w *world) {
				freeze := make(chan struct{})
				one := w.join("one", func(context.Context, *rocketmq.Message) outcome.Outcome {
					<-freeze
					return o
				})
				w.freeze(one)
				one.lockOut(false)
				close(freeze) // before it is told of what happened
				elapse(time.Minute)
				if n := w.ledger.tally().starts; n != 2 || len(w.awaitDeadLetters(0, time.Second)) != 0 {
					t.Errorf("%d handled, %d dead letters; want it handled once by each, and nothing given back", n, len(w.awaitDeadLetters(0, time.Second)))
				}
			})
		})
	}
}
