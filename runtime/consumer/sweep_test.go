// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestWhatIsSweptMakesAReleaseRunNothing(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		x := w.join("one", taking(time.Second), func(cfg *Config) { cfg.Concurrency = 1 })
		w.awaitOwner(x)
		w.fill(20)
		elapse(100 * time.Millisecond) // the first is in flight, and all are fetched
		x.Sweep(func(m *rocketmq.Message) (outcome.Outcome, bool) {
			return outcome.Spare("Skipped", ""), trimmed(m.Body) == "15"
		})
		w.awaitDeadLetters(1, 10*time.Second)
		begun := time.Now()
		x.leave()
		if took, starts := time.Since(begun), w.ledger.tally().starts; took > 2*time.Second || starts > 2 {
			t.Errorf("left after %v, with %d messages started; want what ran to end, and nothing to begin", took, starts)
		}
		if got := w.committed(); got != w.ledger.tally().starts {
			t.Errorf("%d committed of %d handled", got, w.ledger.tally().starts)
		}
	})
}
