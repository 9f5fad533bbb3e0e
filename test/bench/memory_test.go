// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/rig"
)

// settled is how long after its first call, or its start, a worker's memory is looked at.
const settled = 8 * time.Second

// memory compares a worker that 100,000 orders wait for, while its provider takes calls and never answers, with one that has nothing to do.
func (s stage) memory(t *testing.T, r *record) {
	empty := s.newTopic(t)
	run := func(topic string, waits func(t *testing.T, p *rig.Party)) func(t *testing.T) map[string][]float64 {
		return func(t *testing.T) map[string][]float64 {
			p := rig.NewParty(t, s.rig, false)
			defer p.Close()
			p.Steer(`{"mode":"blackhole"}`)
			pod := s.pod(t, topic, p.URL, func(_ *worker.Structure, l *worker.AdapterLimits) { l.Timeout = worker.Duration(time.Minute) })
			defer pod.Kill()
			waits(t, p)
			rig.Wait(t.Context(), settled)
			return map[string][]float64{"rss_mib": {float64(pod.Resident()) / (1 << 20)}}
		}
	}
	const hung, idle, median = "memory_hung", "memory_idle", "median(%q)"
	r.compare(t, []contender{{hung, run(s.topic, called)}, {idle, run(empty, func(*testing.T, *rig.Party) {})}})
	r.ratio("rss_hung_vs_idle", "x <= 1.5", median, hung+"_rss_mib", idle+"_rss_mib")
	r.each(hung+"_rss_mib", median, hung+"_rss_mib")
	r.each(idle+"_rss_mib", median, idle+"_rss_mib")
}
