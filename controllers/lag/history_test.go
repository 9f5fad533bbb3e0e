// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

var (
	first  = rocketmq.Queue{Topic: "Orders", Broker: "a", ID: 0}
	second = rocketmq.Queue{Topic: "Orders", Broker: "b", ID: 0}
	retry  = rocketmq.Queue{Topic: rocketmq.RetryTopic("push"), Broker: "a", ID: 0}
)

type queues = map[rocketmq.Queue]lag.Position

// steady adds one look a second for so long: per second so many messages arrive and are handled, over what waits.
func steady(h *lag.History, from, seconds int, waits, arrived, handled int64, pods lag.Pods) {
	for s := range seconds {
		end := waits + arrived*int64(from+s)
		h.Add(lag.Look{Time: noon.Add(time.Duration(from+s) * time.Second), Pods: pods, Queues: queues{first: {Max: end, Committed: handled * int64(from+s)}}})
	}
}

func TestSignals(t *testing.T) {
	busy := lag.Pods{Ready: 2, Hold: 40}
	for name, test := range map[string]struct {
		looks func(*lag.History)
		want  lag.Signals
	}{
		"nothing was seen, nothing is known": {func(*lag.History) {}, lag.Signals{}},
		"one look knows the lag and no rate": {
			func(h *lag.History) {
				h.Add(lag.Look{Time: noon, Queues: queues{first: {Max: 10, Committed: 7}, second: {Max: 5, Committed: 5}, retry: {Max: 4, Committed: 2}}})
			},
			lag.Signals{Queues: 2, Time: noon, Lag: 5, Retry: 2},
		},
		"what the broker dropped by age does not wait": {
			func(h *lag.History) {
				h.Add(lag.Look{Time: noon, Queues: queues{first: {Min: 90, Max: 100, Committed: 7}}})
			},
			lag.Signals{Queues: 1, Time: noon, Lag: 10},
		},
		"an offset beyond the end is no negative lag": {
			func(h *lag.History) {
				h.Add(lag.Look{Time: noon, Queues: queues{first: {Max: 3, Committed: 9}, second: {Max: 2}}})
			},
			lag.Signals{Queues: 2, Time: noon, Lag: 2},
		},
		"a queue without an offset is unseeded and does not count": {
			func(h *lag.History) {
				h.Add(lag.Look{Time: noon, Queues: queues{first: {Max: 1000, Committed: -1}, second: {Max: 2}}})
			},
			lag.Signals{Queues: 2, Time: noon, Lag: 2, Unseeded: true},
		},
		"ten seconds make an arrival rate": {
			func(h *lag.History) { steady(h, 0, 11, 0, 30, 30, busy) },
			lag.Signals{Queues: 1, Time: noon.Add(10 * time.Second), ArrivalKnown: true, ArrivalRate: 30},
		},
		"nine do not": {
			func(h *lag.History) { steady(h, 0, 10, 0, 30, 30, busy) },
			lag.Signals{Queues: 1, Time: noon.Add(9 * time.Second)},
		},
		"arrivals of half a minute ago are forgotten": {
			func(h *lag.History) {
				steady(h, 0, 20, 0, 100, 100, busy)
				for s := 20; s < 60; s++ {
					h.Add(lag.Look{Time: noon.Add(time.Duration(s) * time.Second), Pods: busy, Queues: queues{first: {Max: 1900, Committed: 1900}}})
				}
			},
			lag.Signals{Queues: 1, Time: noon.Add(59 * time.Second), ArrivalKnown: true},
		},
		"the rate per replica is learnt while more waits than the pods hold": {
			func(h *lag.History) { steady(h, 0, 11, 1000, 30, 20, busy) },
			lag.Signals{Queues: 1, Time: noon.Add(10 * time.Second), Lag: 1100, ArrivalKnown: true, ArrivalRate: 30, RatePerReplica: 10},
		},
		"a quiet group teaches nothing": {
			func(h *lag.History) { steady(h, 0, 11, 39, 20, 20, busy) },
			lag.Signals{Queues: 1, Time: noon.Add(10 * time.Second), Lag: 39, ArrivalKnown: true, ArrivalRate: 20},
		},
		"a parked pod teaches nothing": {
			func(h *lag.History) { steady(h, 0, 11, 1000, 20, 20, lag.Pods{Ready: 2, Hold: 40, Parked: true}) },
			lag.Signals{Queues: 1, Time: noon.Add(10 * time.Second), Lag: 1000, ArrivalKnown: true, ArrivalRate: 20},
		},
		"without pods there is nothing to learn": {
			func(h *lag.History) { steady(h, 0, 11, 1000, 20, 0, lag.Pods{}) },
			lag.Signals{Queues: 1, Time: noon.Add(10 * time.Second), Lag: 1200, ArrivalKnown: true, ArrivalRate: 20},
		},
		"pods that handle nothing have no rate": {
			func(h *lag.History) { steady(h, 0, 11, 1000, 20, 0, busy) },
			lag.Signals{Queues: 1, Time: noon.Add(10 * time.Second), Lag: 1200, ArrivalKnown: true, ArrivalRate: 20},
		},
		"what was learnt is kept when nothing waits": {
			func(h *lag.History) {
				steady(h, 0, 11, 1000, 20, 20, busy)
				for s := 11; s < 100; s++ {
					h.Add(lag.Look{Time: noon.Add(time.Duration(s) * time.Second), Pods: busy, Queues: queues{first: {Max: 1200, Committed: 1200}}})
				}
			},
			lag.Signals{Queues: 1, Time: noon.Add(99 * time.Second), ArrivalKnown: true, RatePerReplica: 10},
		},
		"a second in which the pods changed teaches nothing": {
			func(h *lag.History) {
				for s := range 11 {
					pods := lag.Pods{Ready: int32(1 + s%2), Hold: 1}
					h.Add(lag.Look{Time: noon.Add(time.Duration(s) * time.Second), Pods: pods, Queues: queues{first: {Max: 1000, Committed: int64(10 * s)}}})
				}
			},
			lag.Signals{Queues: 1, Time: noon.Add(10 * time.Second), Lag: 900, ArrivalKnown: true},
		},
		"a queue that appears is no burst": {
			func(h *lag.History) {
				steady(h, 0, 11, 0, 0, 0, busy)
				h.Add(lag.Look{Time: noon.Add(11 * time.Second), Pods: busy, Queues: queues{first: {}, second: {Max: 5000, Committed: 5000}}})
			},
			lag.Signals{Queues: 2, Time: noon.Add(11 * time.Second), ArrivalKnown: true},
		},
		"an offset that is set back is no negative work": {
			func(h *lag.History) {
				steady(h, 0, 11, 1000, 20, 20, busy)
				h.Add(lag.Look{Time: noon.Add(11 * time.Second), Pods: busy, Queues: queues{first: {Max: 1200, Committed: 0}}})
			},
			lag.Signals{Queues: 1, Time: noon.Add(11 * time.Second), Lag: 1200, ArrivalKnown: true, ArrivalRate: 200.0 / 11, RatePerReplica: 200.0 / 22},
		},
		"a look from the past is left out": {
			func(h *lag.History) {
				h.Add(lag.Look{Time: noon, Queues: queues{first: {Max: 10}}})
				h.Add(lag.Look{Time: noon.Add(-time.Second), Queues: queues{first: {Max: 99}}})
			},
			lag.Signals{Queues: 1, Time: noon, Lag: 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h lag.History
			test.looks(&h)
			test.want.DeadLetters = -1
			if got := h.Signals(); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestSignalsAreWhatHappened(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h lag.History
		arrival := rapid.Int64Range(0, 1000).Draw(t, "arrival")
		rate := rapid.Int64Range(1, 200).Draw(t, "rate per pod")
		pods := lag.Pods{Ready: rapid.Int32Range(1, 10).Draw(t, "pods"), Hold: 100}
		seconds := rapid.IntRange(12, 120).Draw(t, "seconds")
		steady(&h, 0, seconds, rate*int64(pods.Ready)*200, arrival, rate*int64(pods.Ready), pods)
		got := h.Signals()
		if math.Abs(got.ArrivalRate-float64(arrival)) > 1e-6 || math.Abs(got.RatePerReplica-float64(rate)) > 1e-6 {
			t.Errorf("%d messages/s arrived and each pod handled %d/s: got %+v", arrival, rate, got)
		}
	})
}

func TestSignalsGrowOld(t *testing.T) {
	for name, test := range map[string]struct {
		signals lag.Signals
		want    bool
	}{
		"younger than the age":     {lag.Signals{Time: noon, Asked: noon.Add(-4 * time.Second)}, true},
		"a pass has failed":        {lag.Signals{Time: noon, Asked: noon.Add(-7 * time.Second)}, true},
		"older than that":          {lag.Signals{Time: noon, Asked: noon.Add(-8 * time.Second)}, false},
		"from before an outage":    {lag.Signals{Time: noon.Add(-time.Minute), Since: noon.Add(-time.Second), Asked: noon.Add(-time.Second)}, false},
		"the others had the turns": {lag.Signals{Time: noon.Add(-time.Minute), Asked: noon.Add(-time.Second)}, true},
		"there never was a look":   {lag.Signals{Asked: noon}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.signals.Fresh(noon); got != test.want {
				t.Errorf("fresh is %t, want %t", got, test.want)
			}
		})
	}
}
