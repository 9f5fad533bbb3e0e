// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/handler"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// expiring is a structure in which messages expire after half an hour.
func expiring(since string, contracts ...worker.Idempotency) worker.Structure {
	s := structure(contracts...)
	s.Expiry = &worker.Expiry{After: worker.Duration(30 * time.Minute), SinceExpression: since}
	return s
}

func TestExpiry(t *testing.T) {
	const half = 30 * time.Minute
	late := outcome.Expire(TooLate, "30m1s after the time of expiry.sinceExpression, with expiry.after 30m0s")
	dead := func(detail string) outcome.Outcome { return outcome.Kill(handler.MappingFailed, detail) }
	honoured := worker.Idempotency{KeysHonoured: true, Window: worker.Duration(time.Minute)}
	for sentence, c := range map[string]struct {
		structure  worker.Structure
		paid       time.Duration // ago; 0: the order does not say
		born       time.Duration // ago
		reconsumed int
		skewed     bool
		want       outcome.Outcome
	}{
		"as old as it may be":                                  {structure: expiring("order.paidAt"), paid: half, want: outcome.Succeed()},
		"a second older":                                       {structure: expiring("order.paidAt"), paid: half + time.Second, want: late},
		"it was attempted before":                              {structure: expiring("order.paidAt"), paid: half + time.Second, reconsumed: 2, want: late},
		"it was sent long ago, but paid just now":              {structure: expiring("order.paidAt"), paid: time.Second, born: time.Hour, want: outcome.Succeed()},
		"age is counted from when it was sent, in time":        {structure: expiring("message.bornTime"), paid: time.Hour, born: half, want: outcome.Succeed()},
		"age is counted from when it was sent, too late":       {structure: expiring("message.bornTime"), paid: time.Hour, born: half + time.Second, want: late},
		"a timestamp":                                          {structure: expiring("timestamp(order.paidAt)"), paid: half + time.Second, want: late},
		"it was paid in the future":                            {structure: expiring("order.paidAt"), paid: -time.Hour, want: outcome.Succeed()},
		"nothing expires while the clock is known to be wrong": {structure: expiring("order.paidAt"), paid: time.Hour, skewed: true, want: outcome.Succeed()},
		"without expiry nothing is too old":                    {structure: structure(), paid: 1000 * time.Hour, born: 1000 * time.Hour, want: outcome.Succeed()},
		"the order does not say when":                          {structure: expiring("order.paidAt"), want: dead("expiry.sinceExpression: order.paidAt is missing")},
		"what it says is no time":                              {structure: expiring("order.phone"), want: dead("expiry.sinceExpression yields a string that is no time as in 2026-11-23T08:30:00Z")},
		"what it says is a number":                             {structure: expiring("order.amount"), want: dead("expiry.sinceExpression yields int, not timestamp: wrap it in timestamp(...)")},
		"whether it was sent is unknown, which matters more": {structure: expiring("order.paidAt", honoured), paid: time.Hour, born: time.Hour, reconsumed: 1,
			want: outcome.Kill(IdempotencyWindowPassed, "attempted before, and older than the 1m0s for which adapter a's third party remembers keys (idempotency.window)")},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				called, now := false, time.Now()
				d := newDelivery(t, Config{
					Handler: handlerFunc(func(context.Context, *message.Message) outcome.Outcome {
						called = true
						return outcome.Succeed()
					}),
					Structure: c.structure, Clock: func() (time.Time, bool) { return time.Now(), !c.skewed }, Observer: &delivered{},
					Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				})
				paidAt := ""
				if c.paid != 0 {
					paidAt = fmt.Sprintf(`"paidAt":%q,`, now.Add(-c.paid).Format(time.RFC3339))
				}
				got := d.Handle(t.Context(), &rocketmq.Message{
					Body: fmt.Appendf(nil, `{%s"phone":%q,"amount":1}`, paidAt, phone), Born: now.Add(-c.born).UnixMilli(), Reconsumed: c.reconsumed,
				})
				if got != c.want || called != (c.want.Kind == outcome.Done) {
					t.Errorf("got %v, handler called %t\nwant %v", got, called, c.want)
				}
				if strings.Contains(log.String(), phone) {
					t.Errorf("a value of the order came out: %s", log.String())
				}
			})
		})
	}
}

func TestAStopWhileAgeIsBeingToldSaysNothingOfTheMessage(t *testing.T) {
	d := newDelivery(t, Config{Handler: returns(outcome.Succeed()), Structure: expiring("string(order.all(i, i >= 0))"), Observer: &delivered{}, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if got := d.Handle(ctx, &rocketmq.Message{Body: []byte("[" + strings.Repeat("1,", 10_000) + "1]")}); got.Kind != outcome.Park {
		t.Errorf("got %v, want that it stays where it is", got)
	}
}

func TestAnExpiryThatDoesNotCompileIsNamed(t *testing.T) {
	_, err := New(Config{Structure: expiring("order.paidAt +")})
	if err == nil || !strings.HasPrefix(err.Error(), "expiry.sinceExpression: column 15: Syntax error") {
		t.Errorf("got %v", err)
	}
}
