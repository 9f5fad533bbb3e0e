// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/shop"
)

const (
	// beforeStop is how long orders are paid before the broker stops, brokerStop how long it hangs before it is killed and started again.
	beforeStop = 8 * time.Second
	brokerStop = 5 * time.Second
	// stopLoad outlasts the outage: the broker's start, and the 25 s that the official client takes at most to find it again.
	stopLoad = 45 * time.Second
)

// sender is one way of sending.
type sender struct {
	mode   string
	outbox bool
}

// senders are all ways. With the outbox Oneway has no place: what is relayed waits for the broker's answer.
func senders() []sender {
	return []sender{{"Sync", false}, {"Async", false}, {"Oneway", false}, {"Sync", true}, {"Async", true}}
}

// String names the sender in series and figures.
func (s sender) String() string {
	name := strings.ToLower(s.mode)
	if s.outbox {
		name += "_outbox"
	}
	return name
}

// stopBroker stops the broker while orders are sent in every way at once, and records what was lost.
func (s *stage) stopBroker(ctx context.Context) error {
	loads := map[sender]string{}
	for _, from := range senders() {
		status, err := s.Shop.Load(ctx, shop.LoadRequest{
			RatePerSecond: ordersPerSecond / 5, Duration: stopLoad.String(), Mode: "decoupled", SendMode: from.mode, Outbox: from.outbox, Seed: 1,
		})
		if err != nil {
			return err
		}
		loads[from] = status.ID
	}
	restarted := make(chan error, 1)
	go func() { restarted <- s.interrupt(ctx) }()
	if err := s.await(ctx, "the broker hangs for 5 s and is started again", slices.Collect(maps.Values(loads))...); err != nil {
		return err
	}
	if err := <-restarted; err != nil {
		return err
	}
	return s.recordLosses(ctx, loads)
}

// interrupt takes the broker away for a while.
func (s *stage) interrupt(ctx context.Context) error {
	if err := sleep(ctx, beforeStop); err != nil {
		return err
	}
	if err := s.Env.HangBroker(ctx); err != nil {
		return err
	}
	if err := sleep(ctx, brokerStop); err != nil {
		return err
	}
	return s.Env.RestartBroker(ctx)
}

// recordLosses records the orders that never reached a third party: those whose sender was told, and those nobody knows of.
func (s *stage) recordLosses(ctx context.Context, loads map[sender]string) error {
	orders := map[sender][]ledger.Order{}
	for from, load := range loads {
		var err error
		if orders[from], err = s.Shop.Orders(ctx, load); err != nil {
			return err
		}
	}
	if _, err := s.settle(ctx, slices.Concat(slices.Collect(maps.Values(orders))...)); err != nil {
		return err
	}
	for _, from := range senders() {
		report, err := s.Judge(ctx, orders[from])
		if err != nil {
			return err
		}
		series := "broker_stop_" + from.String()
		s.record.Sample(series+"_sent", make([]float64, report.Paid)...)
		s.record.Sample(series+"_lost", make([]float64, len(report.Lost))...)
		s.record.Sample(series+"_lost_unreported", make([]float64, count(report.UnreportedLosses))...)
		s.record.Note(series, report)
		samples, err := s.Shop.Samples(ctx, loads[from])
		if err != nil {
			return err
		}
		s.record.Sample("pay_"+from.String()+"_ms", before(samples, beforeStop)...)
	}
	return nil
}

// before are the pay latencies of a load's orders that were due in its first moments.
func before(samples evidence.Samples, end time.Duration) []float64 {
	var early []float64
	for i, due := range samples["scheduled_ms"] {
		if due < float64(end.Milliseconds()) {
			early = append(early, samples["pay_ms"][i])
		}
	}
	return early
}

func count(byMode map[string][]string) int {
	n := 0
	for _, ids := range byMode {
		n += len(ids)
	}
	return n
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// judgeActs waits for the last effects of the acts and records what they came to.
func (s *stage) judgeActs(ctx context.Context) error {
	all, err := s.Shop.Orders(ctx, "")
	if err != nil {
		return err
	}
	var orders []ledger.Order
	for _, order := range all {
		if order.Sent != shop.Coupled {
			orders = append(orders, order)
		}
	}
	report, err := s.settle(ctx, orders)
	if err != nil {
		return err
	}
	calls, err := s.Stub.Calls(ctx)
	if err != nil {
		return err
	}
	sampleReport(s.record, report)
	account := newAccount(orders, calls)
	sampleAccount(s.record, account, s.steered["decoupled_dead"], s.steered["decoupled_back"])
	sampleModes(s.record, account, s.steered["decoupled_healthy"], s.steered["decoupled_slow"])
	limit, err := s.smsLimit(ctx)
	s.record.Sample("sms_limit_per_second", limit)
	return err
}
