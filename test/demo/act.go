// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"time"

	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/scene"
	"github.com/orderflow-dev/orderflow/test/shop"
)

// ordersPerSecond of every act: what one warehouse pod keeps up with (20 at once, 500 ms each: 40/s), with room.
const ordersPerSecond = 20

// act is one phase of the experiment: how orders are paid while SMS is as it is.
type act struct {
	mode  string // coupled or decoupled
	name  string // in series: first, healthy, slow, dead, back
	title string
	sms   map[string]any
	lasts time.Duration
}

// series names the act's samples.
func (a act) series() string { return a.mode + "_" + a.name }

var (
	smsHealthy = map[string]any{"mode": "healthy", "latency": "100ms"}
	smsSlow    = map[string]any{"mode": "healthy", "latency": "1s"}
	smsDead    = map[string]any{"mode": "down"}
)

// acts are the experiment. The decoupled outage is longer, so that there is something to drain.
func acts() []act {
	var list []act
	for _, mode := range []string{"coupled", "decoupled"} {
		list = append(list,
			act{mode, "first", "the first orders, while connections are made", smsHealthy, 3 * time.Second},
			act{mode, "healthy", "all third parties healthy", smsHealthy, 10 * time.Second},
			act{mode, "slow", "SMS slow: 100 ms → 1 s", smsSlow, 10 * time.Second},
			act{mode, "dead", "SMS dead", smsDead, 10 * time.Second},
			act{mode, "back", "SMS back", smsHealthy, 10 * time.Second})
	}
	for i := range list {
		if list[i].mode == "decoupled" && list[i].name == "dead" {
			list[i].lasts = 20 * time.Second
		}
	}
	return list
}

// play steers SMS, pays orders for as long as the act lasts, and records what paying took.
func (s *stage) play(ctx context.Context, a act) error {
	if err := s.Stub.Steer(ctx, "sms", a.sms); err != nil {
		return err
	}
	s.steered[a.series()] = time.Now().UnixMilli()
	load, err := s.load(ctx, shop.LoadRequest{Mode: a.mode, Duration: a.lasts.String()}, a.mode+": "+a.title)
	if err != nil {
		return err
	}
	return s.recordPay(ctx, load, a.series())
}

// load pays orders and shows it live until all are paid; it returns the load's id.
func (s *stage) load(ctx context.Context, request shop.LoadRequest, title string) (string, error) {
	request.RatePerSecond = ordersPerSecond
	request.Seed = 1
	status, err := s.Shop.Load(ctx, request)
	if err != nil {
		return "", err
	}
	return status.ID, s.await(ctx, title, status.ID)
}

// await shows the scene live until every order of the loads is paid.
func (s *stage) await(ctx context.Context, title string, loads ...string) error {
	return s.watch(ctx, title, loads[0], func(ctx context.Context) (bool, error) {
		for _, id := range loads {
			status, err := s.Shop.Status(ctx, id)
			if err != nil || status.State == "running" {
				return false, err
			}
		}
		return true, nil
	})
}

// watch shows the scene live, once a second, until done.
func (s *stage) watch(ctx context.Context, title, load string, done func(context.Context) (bool, error)) error {
	next := time.Now()
	return scene.Poll(ctx, title, func(ctx context.Context) (bool, error) {
		if !time.Now().Before(next) {
			next = next.Add(time.Second)
			if err := s.show(ctx, title, load); err != nil {
				return false, err
			}
		}
		return done(ctx)
	})
}

// recordPay keeps the raw latencies of a load.
func (s *stage) recordPay(ctx context.Context, load, series string) error {
	samples, err := s.Shop.Samples(ctx, load)
	if err != nil {
		return err
	}
	s.record.Sample("pay_"+series+"_ms", samples["pay_ms"]...)
	s.record.Sample("pay_"+series+"_failed", samples["failed"]...)
	return nil
}

const (
	// settleTimeout bounds the wait for the last effects of an experiment.
	settleTimeout = 90 * time.Second
	// settleQuiet is how long nothing may have happened before what is missing is lost: longer than the outbox's relay pauses at most.
	settleQuiet = 12 * time.Second
)

// settle waits until the groups have nothing left to do, and judges the orders.
func (s *stage) settle(ctx context.Context, orders []ledger.Order) (ledger.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	var report ledger.Report
	quiet := time.Now()
	lost := -1
	err := scene.Poll(ctx, "the last order has all its effects", func(ctx context.Context) (bool, error) {
		var err error
		if report, err = s.Judge(ctx, orders); err != nil {
			return false, err
		}
		if len(report.Lost) != lost {
			lost, quiet = len(report.Lost), time.Now()
		}
		if lost == 0 {
			return true, nil
		}
		idle, err := s.idle(ctx)
		return idle && time.Since(quiet) > settleQuiet, err
	})
	return report, err
}
