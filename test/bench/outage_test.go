// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/rig"
)

// An outage as a group sees it that is offered so many orders a second, at a provider whose declared limit is lower. After three seconds the pauses between probes are what
// they are for the first ten minutes, so a longer outage would show nothing else.
const (
	offered       = 500
	limit, burst  = 300, 30
	healthyFor    = 3 * time.Second
	outageFor     = 12 * time.Second
	recoveringFor = 6 * time.Second
)

// A long outage lasts longer than ten minutes, after which pauses grow further.
const (
	longOutage = 10*time.Minute + 30*time.Second
	longGroups = 3
)

// dead are the ways in which a provider is dead: it resets connections at once, or takes calls and never answers.
var dead = []string{"down", "blackhole"}

// outages are what a dead provider sees of us, and one that comes back.
func (s stage) outages(t *testing.T, r *record) {
	for range rounds {
		for _, mode := range dead {
			s.outage(t, r, mode)
		}
	}
	r.Figure(evidence.Figure{Name: "dead_provider_call_share", Formula: `total("outage_calls") / total("outage_offered")`, Goal: "x <= 0.01"})
	r.Figure(evidence.Figure{Name: "recovery_first_success_s", Formula: `largest("recovery_first_success_s")`, Goal: "x <= 2.0"})
	r.Figure(evidence.Figure{Name: "recovery_peak_over_limit", Formula: `largest("recovery_peak_over_limit")`, Goal: "x <= 1.0"})
	for _, mode := range dead {
		r.Figure(evidence.Figure{Name: "recovery_first_success_s_" + mode, Formula: fmt.Sprintf("largest(%q)", "recovery_first_success_s_"+mode)})
	}
}

// outage is one.
func (s stage) outage(t *testing.T, r *record, mode string) {
	p := rig.NewParty(t, s.rig, false)
	defer p.Close()
	p.Steer(`{"latency":"0s"}`)
	topic := s.newTopic(t)
	defer s.pod(t, topic, p.URL, func(_ *worker.Structure, l *worker.AdapterLimits) { l.RequestsPerSecond, l.Burst = limit, burst }).Kill()
	s.offer(t, topic, 0, 1)
	called(t, p)
	sent := s.offer(t, topic, 1, offered*int(healthyFor.Seconds()))
	p.Steer(fmt.Sprintf(`{"mode":%q}`, mode))
	struck, before := time.Now(), sent
	sent = s.offer(t, topic, sent, offered*int(outageFor.Seconds()))
	p.Steer(`{"mode":"healthy"}`)
	healed := time.Now()
	r.Sample("outage_offered", float64(sent-before))
	s.offer(t, topic, sent, offered*int(recoveringFor.Seconds()))

	var during, after []int64
	first := recoveringFor.Seconds()
	for _, c := range p.Calls() {
		switch {
		case c.AtMillis < struck.UnixMilli():
		case c.AtMillis < healed.UnixMilli():
			during = append(during, c.AtMillis)
		default:
			after = append(after, c.AtMillis)
			if c.Accepted {
				first = min(first, float64(c.AtMillis-healed.UnixMilli())/1000)
			}
		}
	}
	r.Sample("outage_calls", float64(len(during)))
	r.Sample("recovery_first_success_s", first)
	r.Sample("recovery_first_success_s_"+mode, first)
	r.Sample("recovery_peak_over_limit", float64(busiest(after, time.Second))/(limit+burst))
}

// offer sends so many orders at the rate, the first of which has a number, and returns the next one's.
func (s stage) offer(t *testing.T, topic string, from, n int) (next int) {
	t.Helper()
	began := time.Now()
	for i := range n {
		rig.Wait(t.Context(), time.Until(began.Add(time.Duration(i)*time.Second/offered)))
		s.send(t, s.queue(topic, i%queues), rocketmq.OutMessage{Body: paid(from + i)})
	}
	return from + n
}

// busiest is how many of the moments, in milliseconds, lie in any stretch of time of this length.
func busiest(moments []int64, stretch time.Duration) (most int) {
	slices.Sort(moments)
	begin := 0
	for end := range moments {
		for moments[end]-moments[begin] >= stretch.Milliseconds() {
			begin++
		}
		most = max(most, end-begin+1)
	}
	return most
}

// beginLong begins an outage that goes on beside everything else, for groups of their own that only probe. What it returns waits for its end, and measures how soon
// each group's first order has its effect.
func (s stage) beginLong(t *testing.T) (end func(t *testing.T, r *record)) {
	t.Helper()
	var parties []*rig.Party
	for i := range longGroups {
		p := rig.NewParty(t, s.rig, false)
		p.Steer(fmt.Sprintf(`{"latency":"0s","mode":%q}`, dead[i%len(dead)]))
		topic := s.newTopic(t)
		s.offer(t, topic, 0, offered)
		s.pod(t, topic, p.URL, nil)
		parties = append(parties, p)
	}
	for _, p := range parties {
		called(t, p)
	}
	began := time.Now()
	return func(t *testing.T, r *record) {
		rig.Wait(t.Context(), longOutage-time.Since(began))
		healed := time.Now()
		for _, p := range parties {
			p.Steer(`{"mode":"healthy"}`)
		}
		rig.Wait(t.Context(), 30*time.Second)
		for _, p := range parties {
			first := time.Since(healed).Seconds()
			for _, c := range p.Calls() {
				if c.Accepted {
					first = min(first, float64(c.AtMillis-healed.UnixMilli())/1000)
				}
			}
			r.Sample("recovery_long_s", first)
		}
		r.Note("recovery_long_outage", healed.Sub(began).String())
		r.Figure(evidence.Figure{Name: "recovery_long_s", Formula: `largest("recovery_long_s")`, Goal: "x <= 20.0"})
	}
}
