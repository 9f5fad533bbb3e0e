// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// ask makes a request. One that probes an open circuit is different: at a third party that takes requests and never answers it hangs for its whole timeout, and one that has healed
// meanwhile would be found that late. So where keys make it harmless the same request is made once more whenever the longest pause has passed, beside those that hang and
// within the rate, and the first to end decides. Elsewhere a request that hangs may be at work, and is waited for.
func (a *Adapter) ask(ctx context.Context, r Request, p permit, limits *worker.AdapterLimits) (answer, sample) {
	if !p.probe || !a.spec.Idempotency.KeysHonoured || r.Key == "" {
		return a.send(ctx, r, p.secret, limits)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type ending struct {
		answer
		sample
	}
	endings, heard := make(chan ending), make(chan struct{})
	defer close(heard)
	ask := func(again bool) {
		ans, seen := a.send(ctx, r, p.secret, limits)
		if again && ans.reason == KeyInUse {
			return // the one that hangs is at work, for all that is known there: nobody was served
		}
		select {
		case endings <- ending{ans, seen}:
		case <-heard:
		}
	}
	go ask(false)
	again := time.NewTicker(a.circuit.patience())
	defer again.Stop()
	for repeated := false; ; {
		select {
		case first := <-endings:
			first.fateUnknown = first.fateUnknown || repeated && first.result != success // nobody hears what becomes of the others
			return first.answer, first.sample
		case <-again.C:
			repeated = true
			go func() {
				if far, err := a.pace.wait(ctx); err == nil && far == 0 { // the rate holds for these too
					ask(true)
				}
			}()
		}
	}
}
