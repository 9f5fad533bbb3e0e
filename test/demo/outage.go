// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/shop"
)

const (
	// brokerStop is how long the broker is down at least; its start takes a few seconds more.
	brokerStop = 5 * time.Second
	// aroundStop is how long orders are paid before it stops.
	aroundStop = 4 * time.Second
)

// stopBroker stops the broker while orders are sent in every send mode at once, and records what was lost. With the outbox on, Oneway has no place: what
// is relayed waits for the broker's answer.
func (s *stage) stopBroker(ctx context.Context, outbox bool) error {
	modes := []string{"Sync", "Async", "Oneway"}
	title := "broker stopped for 5 s, no outbox"
	if outbox {
		modes, title = modes[:2], "broker stopped for 5 s, with outbox"
	}
	var loads []string
	for _, mode := range modes {
		status, err := s.Shop.Load(ctx, shop.LoadRequest{
			RatePerSecond: ordersPerSecond / 4, Duration: "25s", Mode: "decoupled", SendMode: mode, Outbox: outbox, Seed: 1,
		})
		if err != nil {
			return err
		}
		loads = append(loads, status.ID)
	}
	restarted := make(chan error, 1)
	go func() { restarted <- s.interrupt(ctx) }()
	if err := s.await(ctx, title, loads...); err != nil {
		return err
	}
	if err := <-restarted; err != nil {
		return err
	}
	for i, mode := range modes {
		if err := s.recordLosses(ctx, mode, loads[i], outbox); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	return nil
}

// interrupt stops the broker for a while.
func (s *stage) interrupt(ctx context.Context) error {
	if err := sleep(ctx, aroundStop); err != nil {
		return err
	}
	if err := s.Env.StopBroker(ctx); err != nil {
		return err
	}
	if err := sleep(ctx, brokerStop); err != nil {
		return err
	}
	return s.Env.StartBroker(ctx)
}

// recordLosses records the orders that never reached a third party: those whose sender was told, and those nobody knows of.
func (s *stage) recordLosses(ctx context.Context, mode, load string, outbox bool) error {
	orders, err := s.Shop.Orders(ctx, load)
	if err != nil {
		return err
	}
	report, err := s.settle(ctx, orders)
	if err != nil {
		return err
	}
	series := strings.ToLower(mode)
	if outbox {
		series += "_outbox"
	}
	s.record.Sample("broker_stop_"+series+"_sent", make([]float64, report.Paid)...)
	s.record.Sample("broker_stop_"+series+"_lost", make([]float64, len(report.Lost))...)
	s.record.Sample("broker_stop_"+series+"_lost_unreported", make([]float64, count(report.UnreportedLosses))...)
	s.record.Note("broker_stop_"+series, report)
	return nil
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
	sampleAccount(s.record, newAccount(orders, calls), s.steered["decoupled_dead"], s.steered["decoupled_back"])
	limit, err := s.smsLimit(ctx)
	s.record.Sample("sms_limit_per_second", limit)
	return err
}
