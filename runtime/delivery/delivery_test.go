// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const phone = "+8613800000000"

type handlerFunc func(context.Context, *message.Message) outcome.Outcome

func (f handlerFunc) Handle(ctx context.Context, m *message.Message, _ string) outcome.Outcome {
	return f(ctx, m)
}

type delivered struct {
	mu       sync.Mutex
	outcomes []outcome.Outcome
	busy     time.Duration
}

func (d *delivered) Delivered(o outcome.Outcome, busy time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.outcomes = append(d.outcomes, o)
	d.busy += busy
}

func structure(contracts ...worker.Idempotency) worker.Structure {
	s := worker.Structure{Retry: worker.Retry{MaxAttempts: 4, MaxDuration: worker.Duration(time.Hour)}}
	for i, c := range contracts {
		s.Adapters = append(s.Adapters, worker.Adapter{Name: string(rune('a' + i)), Idempotency: c})
	}
	return s
}

func newDelivery(t *testing.T, c Config) *Delivery {
	t.Helper()
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func deliver(t *testing.T, s worker.Structure, h handlerFunc, m *rocketmq.Message) (outcome.Outcome, string) {
	t.Helper()
	var log bytes.Buffer
	seen := &delivered{}
	d := newDelivery(t, Config{Handler: h, Structure: s, Observer: seen, Log: slog.New(slog.NewJSONHandler(&log, nil))})
	o := d.Handle(t.Context(), m)
	if len(seen.outcomes) != 1 || seen.outcomes[0] != o {
		t.Errorf("observed %v, returned %v", seen.outcomes, o)
	}
	return o, log.String()
}

func returns(o outcome.Outcome) handlerFunc {
	return func(context.Context, *message.Message) outcome.Outcome { return o }
}

func TestTheRetryPlan(t *testing.T) {
	retry := outcome.RetryLater(0, "Timeout", "no answer")
	for name, c := range map[string]struct {
		reconsumed int
		handler    outcome.Outcome
		want       outcome.Outcome
	}{
		"the first failure waits the first delay":   {0, retry, outcome.RetryLater(10*time.Second, "Timeout", "no answer")},
		"the third waits the third":                 {2, retry, outcome.RetryLater(time.Minute, "Timeout", "no answer")},
		"the last attempt is dead, with its reason": {3, retry, outcome.Kill(RetriesExhausted, "after attempt 4, Timeout: no answer")},
		"an attempt beyond the plan is dead":        {9, retry, outcome.Kill(RetriesExhausted, "after attempt 10, Timeout: no answer")},
		"a longer wish of the third party holds":    {0, outcome.RetryLater(time.Hour, "TooManyRequests", ""), outcome.RetryLater(time.Hour, "TooManyRequests", "")},
		"one of years holds for two hours":          {0, outcome.RetryLater(math.MaxInt32*time.Second, "TooManyRequests", ""), outcome.RetryLater(2*time.Hour, "TooManyRequests", "")},
		"a shorter one does not":                    {2, outcome.RetryLater(time.Second, "TooManyRequests", ""), outcome.RetryLater(time.Minute, "TooManyRequests", "")},
		"what is done after the last retry is done": {9, outcome.Succeed(), outcome.Succeed()},
		"what is dead is dead at once":              {0, outcome.Kill("RequestRefused", "x"), outcome.Kill("RequestRefused", "x")},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := deliver(t, structure(), returns(c.handler), &rocketmq.Message{Body: []byte("{}"), Reconsumed: c.reconsumed, Born: time.Now().UnixMilli()})
			if got != c.want {
				t.Errorf("got %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestAttemptByAttemptAMessageFollowsThePlanThatIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		retry := worker.Retry{
			MaxAttempts: rapid.IntRange(1, 16).Draw(t, "maxAttempts"),
			MaxDuration: worker.Duration(rapid.Int64Range(int64(time.Second), int64(24*time.Hour)).Draw(t, "maxDuration")),
		}
		d, err := New(Config{
			Handler: returns(outcome.RetryLater(0, "Timeout", "")), Structure: worker.Structure{Retry: retry}, Observer: &delivered{}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		var delays []time.Duration
		var last outcome.Outcome
		for attempt := 1; last.Kind != outcome.Dead; attempt++ {
			if last = d.Handle(t.Context(), &rocketmq.Message{Body: []byte("{}"), Reconsumed: attempt - 1}); last.Kind == outcome.Retry {
				delays = append(delays, last.After)
			}
			if attempt > retry.MaxAttempts {
				t.Fatalf("attempt %d was made: %v", attempt, last)
			}
		}
		if diff := cmp.Diff(retry.Delays(worker.DelayLevels()), delays); diff != "" {
			t.Errorf("what is shown (-) is not what is done (+):\n%s", diff)
		}
	})
}

func TestADeliveryIsNamedByWhereItWasRead(t *testing.T) {
	places := placeRecorder{}
	d := newDelivery(t, Config{Handler: places, Structure: structure(), Observer: &delivered{}, Log: slog.New(slog.DiscardHandler)})
	for _, m := range []rocketmq.Message{{Offset: 1}, {Offset: 2}, {Offset: 1, Queue: rocketmq.Queue{Topic: "%RETRY%g"}}} {
		m.Body = []byte("{}")
		d.Handle(t.Context(), &m)
	}
	if len(places) != 3 {
		t.Errorf("three deliveries have the names %v", places)
	}
}

// placeRecorder is a handler that remembers where messages were read.
type placeRecorder map[string]bool

func (r placeRecorder) Handle(_ context.Context, _ *message.Message, at string) outcome.Outcome {
	r[at] = true
	return outcome.Succeed()
}

func TestParkingPassesUnchangedAndIsNoAttempt(t *testing.T) {
	park := outcome.ParkUntil(t.Context().Done(), "CircuitOpen", "")
	d := newDelivery(t, Config{Handler: returns(park), Structure: structure(), Observer: &delivered{}, Log: slog.New(slog.DiscardHandler)})
	if got := d.Handle(t.Context(), &rocketmq.Message{Body: []byte("{}"), Reconsumed: 99}); got != park {
		t.Errorf("got %v", got)
	}
	if totals := d.Totals(); totals != (Totals{}) {
		t.Errorf("counted as %+v", totals)
	}
}

func TestAPanicIsARetryAndTellsNothingOfTheOrder(t *testing.T) {
	panics := func(context.Context, *message.Message) outcome.Outcome { panic("cannot send to " + phone) }
	got, log := deliver(t, structure(), panics, &rocketmq.Message{Body: []byte("{}"), Born: time.Now().UnixMilli()})
	if got.Kind != outcome.Retry || got.Reason != HandlerPanic || got.After != 10*time.Second {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(log, "handler panicked") || !strings.Contains(log, "delivery_test.go") {
		t.Errorf("the log does not say where: %s", log)
	}
	if all := log + got.Detail; strings.Contains(all, phone) {
		t.Errorf("a value of the order came out: %s", all)
	}
}

func TestBodiesThatAreNoOrders(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		reason outcome.Reason
		detail string
	}{
		"not JSON":     {phone, Undecodable, "the body is no JSON document: it is not JSON at byte 0"},
		"empty":        {"", Undecodable, "the body is no JSON document: it is not JSON at byte 0"},
		"four million": {`"` + strings.Repeat("x", 4<<20) + `"`, BodyTooLarge, "the body cannot be an order: the document is too large: it has 4194306 bytes, 1048576 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			called := false
			got, log := deliver(t, structure(), func(context.Context, *message.Message) outcome.Outcome { called = true; return outcome.Succeed() },
				&rocketmq.Message{Body: []byte(c.body), Born: time.Now().UnixMilli()})
			if got != outcome.Kill(c.reason, c.detail) || called {
				t.Errorf("got %v, handler called %v", got, called)
			}
			if !strings.Contains(log, string(c.reason)) || strings.Contains(log, phone) {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func TestTheIdempotencyWindow(t *testing.T) {
	honoured := worker.Idempotency{KeysHonoured: true, Window: worker.Duration(time.Hour)}
	longer := worker.Idempotency{KeysHonoured: true, Window: worker.Duration(24 * time.Hour)}
	accepted := worker.Idempotency{KeysHonoured: true, Window: worker.Duration(time.Minute), AcceptDuplicates: true}
	asked := worker.Idempotency{KeysHonoured: true, Window: worker.Duration(time.Minute), StatusQuery: &worker.StatusQuery{}}
	ignored := worker.Idempotency{Window: worker.Duration(time.Minute)}
	for name, c := range map[string]struct {
		contracts  []worker.Idempotency
		reconsumed int
		age        time.Duration
		dead       bool
	}{
		"attempted before, and too old":            {[]worker.Idempotency{honoured}, 1, 2 * time.Hour, true},
		"never attempted, however old":             {[]worker.Idempotency{honoured}, 0, 2000 * time.Hour, false},
		"attempted before, within the window":      {[]worker.Idempotency{honoured}, 1, 30 * time.Minute, false},
		"the narrowest of several windows decides": {[]worker.Idempotency{longer, honoured}, 1, 2 * time.Hour, true},
		"duplicates are accepted":                  {[]worker.Idempotency{accepted}, 1, 2 * time.Hour, false},
		"the third party can be asked":             {[]worker.Idempotency{asked}, 1, 2 * time.Hour, false},
		"keys are ignored":                         {[]worker.Idempotency{ignored}, 1, 2 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := &rocketmq.Message{Body: []byte("{}"), Reconsumed: c.reconsumed, Born: time.Now().Add(-c.age).UnixMilli()}
			got, _ := deliver(t, structure(c.contracts...), returns(outcome.Succeed()), m)
			if dead := got.Kind == outcome.Dead && got.Reason == IdempotencyWindowPassed; dead != c.dead {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestTotalsCountWorkAndNotWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		slow := func(context.Context, *message.Message) outcome.Outcome {
			time.Sleep(3 * time.Second)
			<-release
			return outcome.Succeed()
		}
		d := newDelivery(t, Config{Handler: handlerFunc(slow), Structure: structure(), Observer: &delivered{}, Log: slog.New(slog.DiscardHandler)})
		var calls sync.WaitGroup
		for range 2 {
			calls.Go(func() { d.Handle(t.Context(), &rocketmq.Message{Body: []byte("{}")}) })
		}
		synctest.Wait()
		if got := d.Totals().InFlight; got != 2 {
			t.Errorf("%d in flight, want 2", got)
		}
		time.Sleep(3 * time.Second)
		close(release)
		calls.Wait()
		if got, want := d.Totals(), (Totals{Handled: 2, Busy: 6 * time.Second}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestAMessageThatIsHandledForTooLongIsStuck(t *testing.T) {
	for name, c := range map[string]struct {
		handle func(ctx context.Context)
		stuck  bool
	}{
		"a handler that never returns":           {func(context.Context) { time.Sleep(time.Hour) }, true},
		"a handler that works as long as it may": {func(context.Context) { time.Sleep(time.Minute) }, false},
		"a handler that waits for a limit": {func(ctx context.Context) {
			defer adapter.Waiting(ctx)()
			time.Sleep(time.Hour)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := func(ctx context.Context, _ *message.Message) outcome.Outcome {
					c.handle(ctx)
					return outcome.Succeed()
				}
				d := newDelivery(t, Config{Handler: handlerFunc(slow), Structure: structure(), Observer: &delivered{}, Log: slog.New(slog.DiscardHandler)})
				d.Allow(time.Minute)
				d.Allow(time.Second) // what is under way began with a minute
				var call sync.WaitGroup
				call.Go(func() { d.Handle(t.Context(), &rocketmq.Message{Body: []byte("{}")}) })
				time.Sleep(time.Minute)
				if err := d.Stuck(); err != nil {
					t.Errorf("after a minute: %v", err)
				}
				time.Sleep(time.Second)
				err := d.Stuck()
				if (err != nil) != c.stuck || c.stuck && !strings.Contains(err.Error(), "a message is being handled since 2000-01-01T00:00:00Z, longer than the 1m0s") {
					t.Errorf("after more than a minute: %v", err)
				}
				call.Wait()
				if err := d.Stuck(); err != nil {
					t.Errorf("after it returned: %v", err)
				}
			})
		})
	}
}
