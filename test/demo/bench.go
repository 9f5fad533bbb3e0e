// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/scene"
	"github.com/orderflow-dev/orderflow/test/shop"
)

const (
	// rounds of the benchmark; each has every phase once, in an order of its own.
	rounds = 7
	// phaseLasts is how long orders are paid in one phase.
	phaseLasts = 25 * time.Second
	// capacityOffer is more orders per second than the sample's branches handle.
	capacityOffer = 100
	// capacityShare of the capacity is the load of every phase.
	capacityShare = 0.4
)

// phases of one round: only SMS differs.
func phases() []act {
	return []act{
		{"decoupled", "healthy", "all third parties healthy", smsHealthy, phaseLasts},
		{"decoupled", "slow", "SMS slow: 100 ms → 1 s", smsSlow, phaseLasts},
		{"decoupled", "dead", "SMS dead", smsDead, phaseLasts},
	}
}

// Bench measures what paying takes while SMS is healthy, slow and dead, and writes out/bench-demo.json: ratios of the same round, their median and spread.
func Bench(ctx context.Context, o Options) error {
	s, err := open(ctx, "bench-demo", o)
	if err != nil {
		return err
	}
	defineBench(s.record)
	rate, err := s.capacity(ctx)
	if err != nil {
		return err
	}
	seed := uint64(time.Now().UnixNano())
	s.record.Note("seed", fmt.Sprint(seed))
	shuffle := rand.New(rand.NewPCG(seed, 0))
	for round := range rounds {
		order := phases()
		took := map[string]float64{}
		shuffle.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, phase := range order {
			samples, err := s.measure(ctx, phase, round, rate)
			if err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, phase.title, err)
			}
			took[phase.name] = evidence.Quantile(samples, 0.99)
		}
		for _, phase := range []string{"slow", "dead"} {
			s.ratios[phase] = append(s.ratios[phase], took[phase]/took["healthy"])
		}
	}
	return s.finishBench(o)
}

// capacity is the rate at which the slowest branch handles orders while every third party is healthy and more orders are due than it can handle.
func (s *stage) capacity(ctx context.Context) (float64, error) {
	if err := s.Stub.Steer(ctx, "sms", smsHealthy); err != nil {
		return 0, err
	}
	load, err := s.Shop.Load(ctx, shop.LoadRequest{RatePerSecond: capacityOffer, Duration: "10s", Mode: "decoupled", SendMode: "Sync", Seed: 1})
	if err != nil {
		return 0, err
	}
	if err := s.await(ctx, "capacity", load.ID); err != nil {
		return 0, err
	}
	orders, err := s.Shop.Orders(ctx, load.ID)
	if err != nil {
		return 0, err
	}
	if _, err := s.settle(ctx, orders); err != nil {
		return 0, err
	}
	calls, err := s.Stub.Calls(ctx)
	if err != nil {
		return 0, err
	}
	slowest := newAccount(orders, calls).slowestRate()
	s.record.Sample("capacity_orders_per_second", slowest)
	return slowest * capacityShare, s.drained(ctx)
}

// measure plays one phase, lets the branches drain so that every phase begins alike, and returns what paying took.
func (s *stage) measure(ctx context.Context, phase act, round int, rate float64) ([]float64, error) {
	if err := s.Stub.Steer(ctx, "sms", phase.sms); err != nil {
		return nil, err
	}
	load, err := s.Shop.Load(ctx, shop.LoadRequest{
		RatePerSecond: rate, Duration: phase.lasts.String(), Mode: "decoupled", SendMode: "Sync", Seed: uint64(round),
	})
	if err != nil {
		return nil, err
	}
	if err := s.await(ctx, fmt.Sprintf("round %d of %d: %s", round+1, rounds, phase.title), load.ID); err != nil {
		return nil, err
	}
	samples, err := s.Shop.Samples(ctx, load.ID)
	if err != nil {
		return nil, err
	}
	s.record.Sample(fmt.Sprintf("pay_%s_%d_ms", phase.name, round), samples["pay_ms"]...)
	if err := s.Stub.Steer(ctx, "sms", smsHealthy); err != nil {
		return nil, err
	}
	return samples["pay_ms"], s.drained(ctx)
}

// drained waits until no branch has anything left to do.
func (s *stage) drained(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return scene.Poll(ctx, "the branches have drained", s.idle)
}

// p99 is the formula of a phase's pay latency in one round.
func p99(phase string, round int) string {
	return fmt.Sprintf("quantile(\"pay_%s_%d_ms\", 0.99)", phase, round)
}

// defineBench defines the figures of out/bench-demo.json: ratios of phases of the same round.
func defineBench(r *evidence.Recorder) {
	r.Figure(evidence.Figure{Name: "capacity_orders_per_second", Formula: `median("capacity_orders_per_second")`})
	for _, phase := range []string{"slow", "dead"} {
		var ratios []string
		for round := range rounds {
			ratios = append(ratios, p99(phase, round)+" / "+p99("healthy", round))
		}
		r.Figure(evidence.Figure{Name: "pay_p99_" + phase + "_vs_healthy", Formula: "[" + strings.Join(ratios, ", ") + "]", Goal: "x <= 1.1"})
	}
	for _, phase := range phases() {
		var values []string
		for round := range rounds {
			values = append(values, p99(phase.name, round))
		}
		r.Figure(evidence.Figure{Name: "pay_p99_" + phase.name + "_ms", Formula: "[" + strings.Join(values, ", ") + "]"})
	}
}

// interval is the 95 % interval of the median of the rounds' ratios, by bootstrap: what the median would be had other rounds of these been drawn.
func interval(ratios []float64) (low, high float64) {
	const draws = 10_000
	random := rand.New(rand.NewPCG(1, 0))
	medians := make([]float64, draws)
	drawn := make([]float64, len(ratios))
	for i := range medians {
		for j := range drawn {
			drawn[j] = ratios[random.IntN(len(ratios))]
		}
		medians[i] = evidence.Quantile(drawn, 0.5)
	}
	return evidence.Quantile(medians, 0.025), evidence.Quantile(medians, 0.975)
}

// finishBench notes the intervals, writes the evidence and shows the table.
func (s *stage) finishBench(o Options) error {
	for phase, ratios := range s.ratios {
		low, high := interval(ratios)
		s.record.Note("pay_p99_"+phase+"_vs_healthy_95", []float64{low, high})
		s.screen.line("pay p99, %s against healthy: 95 %% interval of the median %.3f … %.3f", phase, low, high)
	}
	file, err := s.record.Write(o.Out)
	if _, tableErr := evidence.Table(o.Screen, []evidence.File{file}); err == nil {
		err = tableErr
	}
	return err
}
