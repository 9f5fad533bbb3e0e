// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	mq "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// A broker that filters by properties.
func TestABrokerWithSettingsOfItsOwn(t *testing.T) {
	t.Parallel()
	cluster := broker.Own(t, rocketmq.Options{EnablePropertyFilter: true})
	t.Run("filters by properties", func(t *testing.T) { filterByProperties(t, onBroker(t, cluster.NameServer(), 2)) })
}

// filterByProperties: what does not match never comes, is passed over, and what matches is retried like any other.
func filterByProperties(t *testing.T, w *world) {
	const n = 100
	for i := range n {
		w.sendTo(w.queues[i%2], mq.Field{Name: "amount", Value: strconv.Itoa(i)}, mq.Field{Name: mq.PropertyTags, Value: "paid"})
	}
	w.sendTo(w.queues[0]) // has no amount
	w.join("one", func(_ context.Context, m *mq.Message) outcome.Outcome {
		if m.Property("amount") == "99" && m.Reconsumed == 0 {
			return outcome.RetryLater(time.Second, "Once", "")
		}
		return outcome.Succeed()
	}, func(cfg *Config) { cfg.ExpressionType, cfg.Expression = mq.TypeSQL92, "amount >= 90 AND TAGS IS NOT NULL" })
	w.eventually("everything to be passed over or handled, and one message twice", 20*time.Second, func() bool {
		return w.committed() == n+1 && w.ledger.tally().starts == 11
	})
	for _, e := range w.ledger.all() {
		if body, _ := strconv.Atoi(e.body); body < 90 {
			t.Errorf("message %d came, which does not match", body)
		}
	}
}
