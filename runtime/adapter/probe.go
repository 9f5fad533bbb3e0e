// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// ask makes a request. One that probes an open circuit is different: at a third party that takes requests and never answers it hangs for its whole timeout, and one that has healed
// meanwhile would be found that late. So where keys make it harmless the same request is made once more whenever the longest pause has passed, and the first to
// end decides. Elsewhere a request that hangs may be at work, and is waited for.
func (a *Adapter) ask(ctx context.Context, r Request, p permit, limits *worker.AdapterLimits) (answer, sample) {
	if !p.probe || !a.spec.Idempotency.KeysHonoured || r.Key == "" || limits.Timeout.D() <= longestPause {
		return a.send(ctx, r, p.secret, limits)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type ending struct {
		answer
		sample
	}
	endings := make(chan ending, 2+limits.Timeout.D()/longestPause) // nobody waits to be heard
	ask := func() {
		ans, seen := a.send(ctx, r, p.secret, limits)
		endings <- ending{ans, seen}
	}
	go ask()
	again := time.NewTicker(longestPause)
	defer again.Stop()
	for {
		select {
		case first := <-endings:
			return first.answer, first.sample
		case <-again.C:
			go func() {
				if far, err := a.pace.wait(ctx); err == nil && far == 0 { // the rate holds for these too
					ask()
				}
			}()
		}
	}
}
