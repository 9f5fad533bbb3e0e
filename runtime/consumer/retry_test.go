// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// failing is a delivery's handler that never succeeds, and an observer that does not look.
type failing struct{}

func (failing) Handle(context.Context, *message.Message, string) outcome.Outcome {
	return outcome.RetryLater(0, "Timeout", "")
}

func (failing) Delivered(outcome.Outcome, time.Duration) {}

func TestAMessageComesAgainWhenTheBrokersLevelsMakeIt(t *testing.T) {
	const s = time.Second
	plan := func(maxAttempts int, maxDuration time.Duration) worker.Retry {
		return worker.Retry{MaxAttempts: maxAttempts, MaxDuration: worker.Duration(maxDuration)}
	}
	for sentence, test := range map[string]struct {
		retry  worker.Retry
		levels []time.Duration
	}{
		"RocketMQ's":                                  {plan(5, time.Hour), worker.DelayLevels()},
		"RocketMQ's, cut by maxDuration":              {plan(5, 99*s), worker.DelayLevels()},
		"the broker's own":                            {plan(5, time.Hour), []time.Duration{s, 2 * s, 3 * s, 7 * s, 4 * s, 9 * s}},
		"the broker's own, of which some are missing": {plan(5, time.Hour), []time.Duration{s, 2 * s, 3 * s, 7 * s}},
	} {
		t.Run(sentence, func(t *testing.T) {
			inBubbleWith(t, fake.Config{DelayLevels: test.levels}, 1, func(t *testing.T, w *world) {
				d, err := delivery.New(delivery.Config{
					Handler: failing{}, Structure: worker.Structure{Retry: test.retry}, Observer: failing{}, Log: slog.New(slog.DiscardHandler),
				})
				w.must(err)
				w.join("one", d.Handle)
				w.sendTo(w.queues[0])
				w.awaitDeadLetters(1, time.Hour)
				attempts, want := w.ledger.all(), test.retry.Delays(test.levels)
				if len(attempts) != len(want)+1 {
					t.Fatalf("it was tried %d times, want %d", len(attempts), len(want)+1)
				}
				for i, delay := range want {
					if got := attempts[i+1].started.Sub(attempts[i].started); got < delay || got > delay+s/2 {
						t.Errorf("after attempt %d it came again in %v, want %v", i+1, got, delay)
					}
				}
			})
		})
	}
}

func TestAMessageWhoseOrderIsKeptIsTriedAgainAtThePlansTimes(t *testing.T) {
	for _, mode := range []Mode{Push, Pull} {
		t.Run(string(mode), func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				s := worker.Structure{Retry: worker.Retry{MaxAttempts: 8, MaxDuration: worker.Duration(time.Hour)}, OrderKeyExpression: "string(order)"}
				d, err := delivery.New(delivery.Config{Handler: failing{}, Structure: s, Observer: failing{}, Log: slog.New(slog.DiscardHandler)})
				w.must(err)
				key, err := delivery.OrderKey(s)
				w.must(err)
				w.join("one", d.Handle, func(cfg *Config) { cfg.Mode, cfg.OrderKey = mode, key })
				w.sendTo(w.queues[0])
				w.awaitDeadLetters(1, 10*time.Minute)
				attempts, want := w.ledger.all(), s.Plan()
				if len(attempts) != len(want)+1 {
					t.Fatalf("it was tried %d times, want %d", len(attempts), len(want)+1)
				}
				for i, delay := range want {
					if got := attempts[i+1].started.Sub(attempts[i].started); got != delay {
						t.Errorf("after attempt %d it came again in %v, want %v", i+1, got, delay)
					}
				}
			})
		})
	}
}
