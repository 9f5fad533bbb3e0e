// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// both runs a test against the fake and against a real broker.
func both(t *testing.T, queues int, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	t.Run("fake", func(t *testing.T) { inBubble(t, 1, queues, test) })
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		test(t, onBroker(t, broker.Shared(t).NameServer(), queues))
	})
}

// always makes a handler that says the same of every message.
func always(o outcome.Outcome) handlerFunc {
	return func(context.Context, *rocketmq.Message) outcome.Outcome { return o }
}

func (w *world) onlyBroker() string { return w.queues[0].Broker }

// await waits until the queue has n messages.
func (w *world) await(q rocketmq.Queue, n int, patience time.Duration) (messages []rocketmq.Message) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d messages in %v", n, q), patience, func() bool {
		messages = w.read(q)
		return len(messages) >= n
	})
	return messages
}

func (w *world) awaitDeadLetters(n int, patience time.Duration) []rocketmq.Message {
	w.t.Helper()
	return w.await(w.deadLetters(w.onlyBroker()), n, patience)
}

func TestARetryComesAgainAfterItsDelay(t *testing.T) {
	inEach(t, everyWay(), 1, func(t *testing.T, w *world) {
		w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Reconsumed < 2 {
				return outcome.RetryLater(time.Second, "Timeout", "")
			}
			return outcome.Succeed()
		})
		w.sendTo(w.queues[0], rocketmq.Field{Name: rocketmq.PropertyKeys, Value: "order-1"})
		w.eventually("three attempts", 30*time.Second, func() bool { return w.ledger.tally().starts == 3 })
		events := w.ledger.all()
		for i, e := range events {
			if e.reconsumed != i {
				t.Errorf("attempt %d says it was sent back %d times", i+1, e.reconsumed)
			}
			if i > 0 && e.started.Sub(events[i-1].started) < time.Second {
				t.Errorf("attempt %d began %v after the last, want at least a second", i+1, e.started.Sub(events[i-1].started))
			}
		}
		w.eventually("the offset to be committed", 5*time.Second, func() bool { return w.committed() == 1 })
	})
}

func TestADeadLetterSaysWhyAndWhereFrom(t *testing.T) {
	inEach(t, everyWay(), 1, func(t *testing.T, w *world) {
		w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Reconsumed == 0 {
				return outcome.RetryLater(time.Second, "Timeout", "")
			}
			return outcome.Kill("BadRequest", "status 400")
		})
		w.sendTo(w.queues[0], rocketmq.Field{Name: rocketmq.PropertyUniqueKey, Value: "U1"}, rocketmq.Field{Name: rocketmq.PropertyKeys, Value: "order-1"}, rocketmq.Field{Name: "TRAN_MSG", Value: "false"})
		original := w.await(w.queues[0], 1, 10*time.Second)[0]
		letter := w.awaitDeadLetters(1, 30*time.Second)[0]
		last := rocketmq.RetryTopic(w.group)
		if w.way.ordered() { // it was tried again in its place
			last = w.topic
		}
		got := map[string]string{}
		for name, value := range letter.Properties() {
			got[name] = value
		}
		for name, want := range map[string]string{
			rocketmq.PropertyUniqueKey:  "U1",
			rocketmq.PropertyKeys:       "order-1",
			rocketmq.PropertyRetryTopic: w.topic,
			propertyRealTopic:           rocketmq.RetryTopic(w.group),
			rocketmq.PropertyOriginID:   original.ID(),
			PropertyKind:                "dead",
			PropertyReason:              "BadRequest",
			PropertyDetail:              "status 400",
			PropertyAttempts:            "2",
			PropertyQueue:               last + "@" + w.onlyBroker() + "#0",
			PropertyOffset:              "0",
			PropertyBorn:                fmt.Sprint(original.Born),
			"TRAN_MSG":                  "",
			rocketmq.PropertyDelayLevel: "",
		} {
			if got[name] != want {
				t.Errorf("property %s is %q, want %q", name, got[name], want)
			}
		}
		if string(letter.Body) != string(original.Body) {
			t.Errorf("the body is %q, want %q", letter.Body, original.Body)
		}
	})
}

func TestExpiredMessagesAreDeadLettersOfTheirOwnKind(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		o := &noting{}
		w.join("one", always(outcome.Expire("TooLate", "31m")), o.observe)
		w.fill(3)
		for _, letter := range w.awaitDeadLetters(3, 10*time.Second) {
			if kind, reason := letter.Property(PropertyKind), letter.Property(PropertyReason); kind != "expired" || reason != "TooLate" {
				t.Errorf("kind %q and reason %q, want expired and TooLate", kind, reason)
			}
		}
		w.eventually("all to be committed", 10*time.Second, func() bool { return w.committed() == 3 })
		if n := o.count("Finished expired TooLate"); n != 3 {
			t.Errorf("%d of 3 are told of as expired", n)
		}
	})
}

func TestWhatCannotBeDecodedBecomesADeadLetterAndDoesNotDisturbItsNeighbours(t *testing.T) {
	both(t, 1, func(t *testing.T, w *world) {
		w.sendTo(w.queues[0])
		w.send(w.queues[0], rocketmq.OutMessage{Body: []byte("this is no zlib stream"), Compressed: true})
		w.sendTo(w.queues[0])
		w.join("one", done)
		letter := w.awaitDeadLetters(1, 20*time.Second)[0]
		if letter.Property(PropertyReason) != string(Undecodable) || !strings.Contains(string(letter.Body), "this is no zlib stream") {
			t.Errorf("reason %q, body %q; want %s and the raw bytes", letter.Property(PropertyReason), letter.Body, Undecodable)
		}
		w.eventually("all three to be committed", 10*time.Second, func() bool { return w.committed() == 3 })
		if got, want := w.ledger.tally(), (tally{starts: 2, unique: 2}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestNothingStartsUntilADeadLetterIsWritten(t *testing.T) {
	inBubble(t, 1, 2, func(t *testing.T, w *world) {
		o := &noting{}
		x := w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if string(m.Body) == "0" {
				return outcome.Kill("BadRequest", "")
			}
			return outcome.Succeed()
		}, o.observe)
		w.awaitOwner(x)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpSend, Code: rocketmq.CodeSystemError, Times: 20})
		w.client.Close() // whose sends would be refused too
		other := rocketmq.NewClient(rocketmq.Config{DialContext: w.dial})
		t.Cleanup(other.Close)
		w.client = other
		w.fake.Heal()
		w.must(w.client.DeleteTopic(w.ctx(), w.masters["broker-a"], rocketmq.DeadLetterTopic(w.group)))
		w.fill(1)
		w.eventually("the consumer to park", 10*time.Second, func() bool { return x.Snapshot().Parked })
		w.fill(50)
		elapse(time.Minute)
		if got := w.ledger.tally(); got.starts != 1 || w.committed() != 0 {
			t.Fatalf("%d messages were started and %d committed while a dead letter could not be written", got.starts, w.committed())
		}
		w.createTopic(w.masters["broker-a"], rocketmq.DeadLetterTopic(w.group), 1)
		w.awaitHandled(51, 10*time.Second)
		if n := len(w.awaitDeadLetters(1, time.Second)); n != 1 || o.count("DeadLetterFailed") == 0 || o.count("Parked DeadLetterRefused") != 1 {
			t.Errorf("%d dead letters, told of %v", n, o.counts)
		}
	})
}

func TestWhatEndsWhileItsBrokerIsAwayHoldsUpNoOther(t *testing.T) {
	away := func(w *world) (back func()) {
		b := w.fake.Brokers()[1]
		b.Stop()
		return func() { w.must(b.Start()) }
	}
	refuses := func(w *world) (back func()) {
		w.fake.Inject(fake.Fault{Op: rocketmq.OpSendBack, Host: "broker-b", Code: rocketmq.CodeServiceNotAvailable})
		return w.fake.Heal
	}
	for name, tt := range map[string]struct {
		ends        outcome.Outcome
		strike      func(*world) func()
		starts      int // of the two in the end
		deadLetters int
	}{
		"a retry":                   {outcome.RetryLater(time.Second, "Timeout", ""), away, 4, 0},
		"a retry that is not taken": {outcome.RetryLater(time.Second, "Timeout", ""), refuses, 4, 0},
		"a dead letter":             {outcome.Kill("BadRequest", ""), away, 2, 2},
	} {
		for mode, option := range map[string]func(*Config){"Push": func(*Config) {}, "Pull": pulling} {
			t.Run(name+", "+mode, func(t *testing.T) {
				inBubble(t, 2, 1, func(t *testing.T, w *world) {
					ended := make(chan struct{})
					x := w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
						if m.Queue.Broker == "broker-a" || m.Reconsumed > 0 {
							return outcome.Succeed()
						}
						<-ended
						return tt.ends
					}, option, func(c *Config) { c.Concurrency = 2 })
					w.awaitOwner(x)
					w.sendTo(w.queues[1])
					w.sendTo(w.queues[1])
					w.eventually("both hands to be full", 10*time.Second, func() bool { return x.Snapshot().InFlight == 2 })
					back := tt.strike(w)
					close(ended)
					for range 20 {
						w.sendTo(w.queues[0])
					}
					w.eventually("the other broker's messages", 10*time.Second, func() bool { return w.ledger.tally().starts == 22 })
					back()
					w.eventually("all to have ended", 30*time.Second, func() bool { return w.ledger.tally().starts == 20+tt.starts && w.committed() == 22 })
					if n := len(w.read(w.deadLetters("broker-b"))); n != tt.deadLetters {
						t.Errorf("%d dead letters, want %d", n, tt.deadLetters)
					}
				})
			})
		}
	}
}

func TestADeadLetterIsWrittenBeforeItsQueueMovesAlsoWhileParked(t *testing.T) {
	inBubble(t, 2, 1, func(t *testing.T, w *world) {
		ended, parked := make(chan struct{}), make(chan struct{})
		one := w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Queue.Broker == "broker-b" {
				<-ended
				return outcome.Kill("FateUnknown", "")
			}
			<-parked
			return outcome.ParkUntil(make(chan struct{}), "CircuitOpen", "")
		})
		w.awaitOwner(one)
		w.sendTo(w.queues[0])
		w.sendTo(w.queues[1])
		w.eventually("both to be in flight", 10*time.Second, func() bool { return one.Snapshot().InFlight == 2 })
		b := w.fake.Brokers()[1]
		b.Stop()
		close(ended)
		elapse(time.Second)
		close(parked)
		w.eventually("it to park", 10*time.Second, func() bool { return one.Snapshot().Parked })
		w.must(b.Start())
		w.eventually("it to be back", 10*time.Second, func() bool { return w.lockedBy(w.queues[1]) != "" })
		two := w.join("two", done)
		w.eventually("a queue to move", 30*time.Second, func() bool { return two.owns() > 0 })
		one.leave()
		w.eventually("the rest to move", 30*time.Second, func() bool { return w.committed() == 2 })
		if n := len(w.read(w.deadLetters("broker-b"))); n != 1 || w.ledger.tally().starts != 3 {
			t.Errorf("%d dead letters, %d started; want 1 and the parked one twice", n, w.ledger.tally().starts)
		}
	})
}

func TestASendBackThatIsStoredIsNotRepeated(t *testing.T) {
	for name, fault := range map[string]fake.Fault{
		"which its slave did not confirm": {Code: rocketmq.CodeSystemError, Remark: "FLUSH_SLAVE_TIMEOUT"},
		"which took the broker 5 s":       {Delay: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
					if m.Reconsumed == 0 {
						return outcome.RetryLater(time.Second, "Timeout", "")
					}
					return outcome.Succeed()
				})
				fault.Op, fault.Late, fault.Times = rocketmq.OpSendBack, true, 5
				w.fake.Inject(fault)
				w.sendTo(w.queues[0])
				elapse(time.Minute)
				if got, n := w.ledger.tally(), len(w.read(w.retryQueue("broker-a"))); got.starts != 2 || n != 1 || w.committed() != 1 {
					t.Errorf("%d started, %d sent back, %d committed; want 2, 1, 1", got.starts, n, w.committed())
				}
			})
		})
	}
}

func TestARetryOfWhatTheBrokerHasDeletedIsADeadLetter(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		ended := make(chan struct{})
		x := w.join("one", func(context.Context, *rocketmq.Message) outcome.Outcome {
			<-ended
			return outcome.RetryLater(time.Second, "Timeout", "no answer")
		})
		w.sendTo(w.queues[0])
		w.eventually("it to be in flight", 10*time.Second, func() bool { return x.Snapshot().InFlight == 1 })
		w.fake.Broker().Trim(w.queues[0], 1)
		close(ended)
		letter := w.awaitDeadLetters(1, 10*time.Second)[0]
		if letter.Property(PropertyReason) != string(MessageDeleted) || letter.Property(PropertyDetail) != "after attempt 1, Timeout: no answer" {
			t.Errorf("reason %q, detail %q", letter.Property(PropertyReason), letter.Property(PropertyDetail))
		}
	})
}

func TestWhatNobodyCanKeepIsNotPassedOver(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		o := &noting{}
		x := w.join("one", func(context.Context, *rocketmq.Message) outcome.Outcome {
			w.fake.Inject(fake.Fault{Op: rocketmq.OpSend, Code: rocketmq.CodeMessageIllegal})
			w.fake.Broker().Trim(w.queues[0], 1) // so that the broker cannot copy what is too large for us to send
			return outcome.Kill("BadRequest", "")
		}, o.observe)
		w.awaitOwner(x)
		w.fill(1)
		elapse(time.Minute)
		if n := w.committed(); n != 0 || o.count("SendBackFailed") == 0 {
			t.Errorf("%d committed, %d failures told of; want none passed over, and it told", n, o.count("SendBackFailed"))
		}
	})
}

func TestADeadLetterThatIsTooLargeIsCompressedOrLeftToTheBroker(t *testing.T) {
	for _, tt := range []struct {
		name     string
		refusals int
		reason   string
	}{
		{"compressed if the broker refuses it once", 1, "BadRequest"},
		{"copied by the broker if that is too large as well", 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				w.fillBodies(1, 10000)
				w.fake.Inject(fake.Fault{Op: rocketmq.OpSend, Code: rocketmq.CodeMessageIllegal, Times: tt.refusals})
				x := w.join("one", always(outcome.Kill("BadRequest", "")))
				letter := w.awaitDeadLetters(1, 10*time.Second)[0]
				if letter.Property(PropertyReason) != tt.reason || len(letter.Body) != 10000 || letter.Compressed() != (tt.refusals == 1) {
					t.Errorf("reason %q, %d bytes, compressed %v", letter.Property(PropertyReason), len(letter.Body), letter.Compressed())
				}
				w.awaitHandled(1, 5*time.Second)
				if x.Snapshot().Parked {
					t.Error("parked for a dead letter that was written")
				}
			})
		})
	}
}

func TestAMessageOfFourMiBReachesTheHandlerAndTheDeadLetters(t *testing.T) {
	t.Parallel()
	w := onBroker(t, broker.Shared(t).NameServer(), 1)
	const size = 4 << 20
	plain := rocketmq.OutMessage{Body: []byte(strings.Repeat("0123456789abcdef", size/16))}
	compressed := rocketmq.OutMessage{Body: []byte(strings.Repeat("0123456789abcdef", size/16))}
	compressed.Compress()
	w.send(w.queues[0], plain)
	w.send(w.queues[0], compressed)
	w.join("one", always(outcome.Kill("BadRequest", "status 400")))
	for _, letter := range w.awaitDeadLetters(2, time.Minute) {
		if len(letter.Body) != size || letter.Property(PropertyReason) != "BadRequest" {
			t.Errorf("a dead letter of %d bytes with reason %q, want %d and BadRequest", len(letter.Body), letter.Property(PropertyReason), size)
		}
	}
	w.eventually("both to be committed", 10*time.Second, func() bool { return w.committed() == 2 })
}

func TestADeadLetterOfAMessageThatWasCutShortIsWrittenBeforeTheQueueIsHandedOver(t *testing.T) {
	for name, handOver := range map[string]func(w *world, x *member){
		"when we stop": func(_ *world, x *member) { x.leave() },
		"when another joins": func(w *world, x *member) {
			two := w.join("another", done)
			w.eventually("a queue to be handed over", 20*time.Second, func() bool { return two.owns() == 1 && x.owns() == 1 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 2, func(t *testing.T, w *world) {
				x := w.join("one", func(ctx context.Context, _ *rocketmq.Message) outcome.Outcome {
					<-ctx.Done()
					return outcome.Kill("FateUnknown", "") // the call may have had its effect, and must not be made again
				})
				w.awaitOwner(x)
				w.sendTo(w.queues[0])
				w.eventually("the message in flight", 10*time.Second, func() bool { return x.Snapshot().InFlight == 1 })
				w.fake.Inject(fake.Fault{Op: rocketmq.OpSend, Host: "broker-a", Delay: 2 * time.Second})
				handOver(w, x)
				w.awaitDeadLetters(1, time.Second)
				if n := w.committed(); n != 1 {
					t.Errorf("offset %d is committed, want 1: the dead letter's message comes again", n)
				}
				if got := w.ledger.tally(); got.starts != 1 {
					t.Errorf("%+v, want one start", got)
				}
			})
		})
	}
}

func TestASendBackThatFailsIsRepeatedAndNothingIsCommittedBefore(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		o := &noting{}
		w.fake.Inject(fake.Fault{Op: rocketmq.OpSendBack, Code: rocketmq.CodeSystemError, Times: 5})
		w.fill(1)
		w.join("one", func(_ context.Context, m *rocketmq.Message) outcome.Outcome {
			if m.Reconsumed == 0 {
				return outcome.RetryLater(0, "Timeout", "")
			}
			return outcome.Succeed()
		}, o.observe)
		w.eventually("four failures", 20*time.Second, func() bool { return o.count("SendBackFailed") == 4 })
		if n := w.committed(); n != 0 {
			t.Fatalf("offset %d was committed before the message was sent back", n)
		}
		w.eventually("the second attempt", 20*time.Second, func() bool { return w.ledger.tally().starts == 2 })
		if levels := w.fake.Calls(rocketmq.OpSendBack); levels[0].Fields.Get("delayLevel") != "0" || levels[0].Fields.Get("maxReconsumeTimes") != "24" {
			t.Errorf("sent back with %v, want the broker's delay and a limit above ours", levels[0].Fields)
		}
	})
}

func TestTheLogNamesWhatWentWrongAndNoOrder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		body   rocketmq.OutMessage
		handle handlerFunc
		says   string
	}{
		{"a panic by its type", rocketmq.OutMessage{Body: []byte("1")}, func(context.Context, *rocketmq.Message) outcome.Outcome {
			panic(errors.New("no such customer: Erika"))
		}, "*errors.errorString"},
		{"a message that cannot be decoded by its place", rocketmq.OutMessage{Body: []byte("Erika"), Compressed: true}, done, "level=WARN msg=\"message cannot be decoded\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				w.send(w.queues[0], tt.body)
				var log bytes.Buffer
				x := w.join("one", tt.handle, func(cfg *Config) { cfg.Log = slog.New(slog.NewTextHandler(&log, nil)) })
				w.eventually("the message to be passed", 20*time.Second, func() bool { return w.committed() == 1 })
				x.leave()
				if !strings.Contains(log.String(), tt.says) || strings.Contains(log.String(), "Erika") {
					t.Errorf("logged %s\nwant %q and no customer", log.String(), tt.says)
				}
			})
		})
	}
}

func TestWhatAHandlerMustNotDoCountsAsARetry(t *testing.T) {
	for name, misbehave := range map[string]struct {
		handle handlerFunc
		reason outcome.Reason
	}{
		"a panic":                 {func(context.Context, *rocketmq.Message) outcome.Outcome { panic("no such key") }, HandlerPanic},
		"no outcome":              {always(outcome.Outcome{}), InvalidOutcome},
		"a park without an end":   {always(outcome.Outcome{Kind: outcome.Park}), InvalidOutcome},
		"an outcome nobody knows": {always(outcome.Outcome{Kind: 99}), InvalidOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				o := &noting{}
				w.fill(1)
				w.join("one", misbehave.handle, o.observe)
				want := "Finished retry " + string(misbehave.reason)
				w.eventually(want, 20*time.Second, func() bool { return o.count(want) == 1 })
				w.eventually("the message to be sent back", 5*time.Second, func() bool { return w.committed() == 1 })
			})
		})
	}
}
