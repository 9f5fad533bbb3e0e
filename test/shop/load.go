// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/producer"
	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/ledger"
)

const (
	// maxConcurrent bounds the orders of a load that are being paid. Orders that wait for a place are late, and their
	// latency says so.
	maxConcurrent = 4096
	// recent is the window of LoadStatus.Recent.
	recent = 5 * time.Second
)

// LoadRequest starts a load: the body of POST /load.
type LoadRequest struct {
	RatePerSecond float64 `json:"ratePerSecond"`
	// Duration is a Go duration: 30s.
	Duration string `json:"duration"`
	// Mode is coupled or decoupled.
	Mode string `json:"mode"`
	// SendMode is Sync, Async or Oneway; default the binding's. Only for decoupled.
	SendMode string `json:"sendMode,omitempty"`
	Outbox   bool   `json:"outbox,omitempty"`
	// Seed of arrival times and orders.
	Seed uint64 `json:"seed,omitempty"`
}

// LoadStatus is the answer of GET /load/{id}.
type LoadStatus struct {
	ID string `json:"id"`
	// State is running, stopped or done.
	State string `json:"state"`
	// Planned orders, of which Started have begun to be paid, and Done have ended, Failed of them with an error.
	Planned int `json:"planned"`
	Started int `json:"started"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// Told counts what the senders of this load's orders were told so far.
	Told map[ledger.Told]int `json:"told"`
	// Total is about all orders, Recent about those that ended in the last 5 s.
	Total  Latency `json:"total"`
	Recent Latency `json:"recent"`
	// LastError is the newest error that a buyer saw.
	LastError string `json:"lastError,omitempty"`
}

// Latency sums up orders; without orders all is 0.
type Latency struct {
	OrdersPerSecond float64 `json:"ordersPerSecond"`
	P50Millis       float64 `json:"p50Ms"`
	P99Millis       float64 `json:"p99Ms"`
	MaxMillis       float64 `json:"maxMs"`
}

// load is one open-loop load.
type load struct {
	id       string
	prefix   string // of its orders' ids
	manner   manner
	arrivals []time.Duration // when each order is due, after begin
	orders   []producer.OrderEvent
	begin    time.Time
	stop     context.CancelFunc

	mu      sync.Mutex
	started int
	samples []sample
	failed  int
	lastErr error
	state   string
}

// sample is one order that has ended.
type sample struct {
	due, ended time.Duration // after begin
	failed     bool
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// errTooManyOrders: the load would pass the shop's bound.
var errTooManyOrders = fmt.Errorf("the load has more orders than are left of the shop's %d; restart the shop", maxOrders)

// plan draws a load's arrivals and orders.
func (s *Shop) plan(req LoadRequest) (*load, error) {
	duration, err := time.ParseDuration(req.Duration)
	if err != nil || duration <= 0 || req.RatePerSecond <= 0 {
		return nil, fmt.Errorf("ratePerSecond %v and duration %q must both be positive, the duration like \"30s\"", req.RatePerSecond, req.Duration)
	}
	m, err := s.manner(req.Mode, req.SendMode, req.Outbox)
	if err != nil {
		return nil, err
	}
	if expected := req.RatePerSecond * duration.Seconds(); expected > maxOrders || !s.room(int(expected)) {
		return nil, errTooManyOrders
	}
	l := &load{manner: m, state: "running"}
	random := rand.New(rand.NewPCG(req.Seed, 0))
	for due := time.Duration(0); ; {
		due += time.Duration(random.ExpFloat64() / req.RatePerSecond * float64(time.Second))
		if due >= duration {
			break
		}
		l.arrivals = append(l.arrivals, due)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l.id = fmt.Sprint(len(s.loads) + 1)
	l.prefix = s.run + "-" + l.id + "-"
	for n := range l.arrivals {
		l.orders = append(l.orders, makeOrder(fmt.Sprintf("%s%06d", l.prefix, n), random))
	}
	s.loads = append(s.loads, l)
	return l, nil
}

// manner reads the manner of paying from a request.
func (s *Shop) manner(mode, sendMode string, outbox bool) (manner, error) {
	m := manner{sent: sendMode, outbox: outbox}
	switch {
	case mode == "coupled" && sendMode == "":
		m.sent = Coupled
	case mode == "coupled":
		return m, errors.New("sendMode is only for mode decoupled")
	case mode != "decoupled":
		return m, fmt.Errorf("mode %q is unknown; want coupled or decoupled", mode)
	case sendMode == "" && s.producer != nil:
		m.sent = string(s.producer.Mode())
	}
	return m, s.check(m)
}

// startLoad creates the load's orders and begins to pay them.
func (s *Shop) startLoad(ctx context.Context, req LoadRequest) (*load, error) {
	l, err := s.plan(req)
	if err != nil {
		return nil, err
	}
	if err := s.store.create(ctx, l.orders...); err != nil {
		l.end("stopped")
		return nil, err
	}
	loadCtx, stop := context.WithCancel(s.ctx)
	s.mu.Lock()
	l.stop, l.begin = stop, time.Now()
	s.mu.Unlock()
	s.running.Go(func() {
		defer stop()
		l.run(loadCtx, s.pay)
	})
	return l, nil
}

// run pays each order when it is due and returns when all have ended. When ctx ends no more orders begin, but those that
// have begun end by themselves.
func (l *load) run(ctx context.Context, pay func(context.Context, producer.OrderEvent, manner) error) {
	places := make(chan struct{}, maxConcurrent)
	var paying sync.WaitGroup
	timer := time.NewTimer(0)
	defer timer.Stop()
	state := "done"
	for n, due := range l.arrivals {
		timer.Reset(due - time.Since(l.begin))
		select {
		case <-ctx.Done():
			state = "stopped"
		case <-timer.C:
			places <- struct{}{}
		}
		if state == "stopped" {
			break
		}
		l.begun()
		paying.Go(func() {
			defer func() { <-places }()
			l.ended(due, pay(context.WithoutCancel(ctx), l.orders[n], l.manner))
		})
	}
	paying.Wait()
	l.end(state)
}

func (l *load) begun() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started++
}

func (l *load) ended(due time.Duration, err error) {
	ended := time.Since(l.begin)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, sample{due: due, ended: ended, failed: err != nil})
	if err != nil {
		l.failed++
		l.lastErr = err
	}
}

func (l *load) end(state string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = state
}

// remaining is how many orders it may still begin.
func (l *load) remaining() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != "running" {
		return 0
	}
	return len(l.arrivals) - l.started
}

// status sums up the load; Told is left to the caller.
func (l *load) status() LoadStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	elapsed := time.Since(l.begin)
	s := LoadStatus{
		ID: l.id, State: l.state, Planned: len(l.arrivals), Started: l.started, Done: len(l.samples), Failed: l.failed,
		Told: map[ledger.Told]int{},
	}
	if l.lastErr != nil {
		s.LastError = l.lastErr.Error()
	}
	tail := len(l.samples)
	for tail > 0 && l.samples[tail-1].ended > elapsed-recent {
		tail--
	}
	if l.state != "running" && len(l.samples) > 0 {
		elapsed = l.samples[len(l.samples)-1].ended
	}
	s.Total = summarize(l.samples, elapsed)
	s.Recent = summarize(l.samples[tail:], min(elapsed, recent))
	return s
}

func summarize(samples []sample, over time.Duration) Latency {
	if len(samples) == 0 {
		return Latency{}
	}
	latencies := make([]float64, len(samples))
	for i, s := range samples {
		latencies[i] = millis(s.ended - s.due)
	}
	return Latency{
		OrdersPerSecond: float64(len(samples)) / over.Seconds(),
		P50Millis:       evidence.Quantile(latencies, 0.5),
		P99Millis:       evidence.Quantile(latencies, 0.99),
		MaxMillis:       evidence.Quantile(latencies, 1),
	}
}

// rawSamples are the series of GET /load/{id}/samples, in the order the orders ended.
func (l *load) rawSamples() evidence.Samples {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := evidence.Samples{"pay_ms": {}, "scheduled_ms": {}, "failed": {}}
	for _, s := range l.samples {
		failed := 0.0
		if s.failed {
			failed = 1
		}
		out["pay_ms"] = append(out["pay_ms"], millis(s.ended-s.due))
		out["scheduled_ms"] = append(out["scheduled_ms"], millis(s.due))
		out["failed"] = append(out["failed"], failed)
	}
	return out
}
