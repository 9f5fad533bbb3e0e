// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/rig"
)

// A provider that works at so many calls at once, each for 20 ms and then for ten times as long, for callers that could make many more. What counts begins when it
// becomes slow, so the time to find the new best counts too.
const (
	capacity = 12
	callers  = 48
	fastFor  = 4 * time.Second
	slowFor  = 15 * time.Second
)

// goodput compares adaptive concurrency with the best fixed one.
func (s stage) goodput(t *testing.T, r *record) {
	run := func(limit int, adaptive bool) func(t *testing.T) map[string][]float64 {
		return func(t *testing.T) map[string][]float64 {
			return map[string][]float64{"effects_per_s": {s.slowed(t, limit, adaptive)}}
		}
	}
	best, most := 0, 0.0
	for _, n := range []int{4, 8, capacity, 16, 24, callers} {
		got := run(n, false)(t)["effects_per_s"][0]
		r.Sample(fmt.Sprintf("goodput_fixed_%d_effects_per_s", n), got)
		if got > most {
			best, most = n, got
		}
	}
	r.Note("goodput_best_fixed_concurrency", best)
	const adaptive, fixed, median = "goodput_adaptive", "goodput_best_fixed", "median(%q)"
	r.compare(t, []contender{{adaptive, run(callers, true)}, {fixed, run(best, false)}})
	r.ratio("goodput_vs_best_fixed", "x >= 0.9", median, adaptive+"_effects_per_s", fixed+"_effects_per_s")
	r.each(adaptive+"_effects_per_s", median, adaptive+"_effects_per_s")
	r.each(fixed+"_effects_per_s", median, fixed+"_effects_per_s")
}

// slowed is how many orders a second have their effect once the provider has become slow.
func (s stage) slowed(t *testing.T, limit int, adaptive bool) float64 {
	t.Helper()
	p := rig.NewParty(t, s.rig, false)
	defer p.Close()
	steer := func(latency time.Duration) {
		p.Steer(fmt.Sprintf(`{"latency":%q,"capacity":%d}`, latency, capacity))
	}
	steer(20 * time.Millisecond)
	pod := s.pod(t, s.topic, p.URL, func(w *worker.Structure, l *worker.AdapterLimits) {
		w.Concurrency = callers
		l.Concurrency, l.Adaptive, l.Timeout = limit, adaptive, worker.Duration(5*time.Second)
	})
	defer pod.Kill()
	called(t, p)
	rig.Wait(t.Context(), fastFor)
	steer(200 * time.Millisecond)
	from := time.Now()
	rig.Wait(t.Context(), slowFor)
	effects := 0
	for _, c := range p.Calls() {
		if c.Effect && c.AtMillis >= from.UnixMilli() {
			effects++
		}
	}
	return float64(effects) / time.Since(from).Seconds()
}

// called waits for a third party's first call.
func called(t *testing.T, p *rig.Party) {
	t.Helper()
	if !rig.Await(t.Context(), patience, func() bool { return len(p.Calls()) > 0 }) {
		t.Fatalf("the third party was not called within %s", patience)
	}
}
