// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// shuns parks the first message of the queue for ever, with a pause of a second, and takes all others.
func shuns(_ context.Context, m *rocketmq.Message) outcome.Outcome {
	if m.Offset != 0 {
		return outcome.Succeed()
	}
	resume := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(resume) })
	return outcome.ParkUntil(resume, "CircuitOpen", "")
}

// TestTheOnlyMessageToProbeWithIsNamedUntilAnotherComes lets the only message of a pod keep it parked, longer than a pull waits at the broker, and another be sent
// then: it has to be fetched, or the first one would keep a third party's circuit open that takes all others.
func TestTheOnlyMessageToProbeWithIsNamedUntilAnotherComes(t *testing.T) {
	inBubble(t, 1, 1, func(_ *testing.T, w *world) {
		x := w.join("one", shuns)
		w.awaitOwner(x)
		w.fill(1)
		w.eventually("the message to park", 20*time.Second, func() bool { return x.Snapshot().Parked })
		if p := x.Snapshot().Probe; p != (Probe{}) {
			w.t.Errorf("before any probe %+v has failed", p)
		}
		since := time.Now()
		elapse(time.Minute)
		p := x.Snapshot().Probe
		if p.Queue != w.queues[0] || p.Offset != 0 || p.MessageID != "U0" || p.Failed < 50 || p.Since.Sub(since) > 2*time.Second {
			w.t.Errorf("it says %+v, want the message that was tried every second for a minute", p)
		}
		w.fill(1)
		w.eventually("the other message to be handled", 5*time.Second, func() bool { n, _ := w.ledger.succeeded(); return n == 1 })
		if p := x.Snapshot().Probe; p.Failed > 1 {
			w.t.Errorf("after another message was handled it says %+v", p)
		}
	})
}

func TestNoMessageIsNamedWhileOthersAreTriedToo(t *testing.T) {
	inBubble(t, 1, 2, func(_ *testing.T, w *world) {
		x := w.join("one", func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
			first := *m
			first.Offset = 0
			return shuns(ctx, &first)
		})
		w.fill(128) // of either queue
		w.eventually("a message to park", 20*time.Second, func() bool { return x.Snapshot().Parked })
		elapse(10 * time.Second)
		for range 10 {
			elapse(time.Second)
			if p := x.Snapshot().Probe; p.Failed != 1 {
				w.t.Errorf("it says %+v, want another message each time", p)
			}
		}
	})
}
