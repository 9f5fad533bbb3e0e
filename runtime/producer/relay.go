// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	defaultPoll = 200 * time.Millisecond
	// relayBatch is how many rows are read, and how many confirmed ones removed, by one statement.
	relayBatch    = 100
	minRelayPause = 200 * time.Millisecond
	maxRelayPause = 10 * time.Second
)

// Sender sends one message and waits for the broker's confirmation. Producer is one.
type Sender interface {
	Send(ctx context.Context, msg Message) (Receipt, error)
}

var _ Sender = (*Producer)(nil)

// RelayConfig is what a Relay needs.
type RelayConfig struct {
	Outbox *Outbox
	Sender Sender
	// Grace is how old a row must be before the relay sends it. Default 0: the relay sends everything. An order system
	// that sends by itself after the commit sets it above its send timeout and calls Sent.
	Grace time.Duration
	// Poll is the pause between two looks at an empty table. Default 200 ms.
	Poll time.Duration
	// Logger defaults to slog's default logger.
	Logger *slog.Logger
}

// Relay sends the outbox's rows in order, each at least once, and removes them when the broker confirmed. While the broker
// is gone it tries the oldest row again with growing pauses and sends nothing else, so the order is kept.
type Relay struct {
	cfg RelayConfig

	mu   sync.Mutex
	sent []int64 // confirmed rows still in the table
}

// NewRelay makes a relay; Run runs it.
func NewRelay(cfg RelayConfig) *Relay {
	if cfg.Poll == 0 {
		cfg.Poll = defaultPoll
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Relay{cfg: cfg}
}

// Sent tells that the broker confirmed the row's message to the order system itself. The row is removed by the next pass;
// if the process ends before, it is sent again.
func (r *Relay) Sent(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, id)
}

// Run relays until ctx ends. Database and broker errors are logged and tried again; it never gives up.
func (r *Relay) Run(ctx context.Context) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = minRelayPause, maxRelayPause, 2
	for {
		n, err := r.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := r.cfg.Poll
		switch {
		case err != nil:
			wait = pause.NextBackOff()
			r.cfg.Logger.Warn("outbox not relayed, trying again", "error", err, "in", wait)
		case n == relayBatch:
			pause.Reset()
			continue // More is waiting.
		default:
			pause.Reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// pass removes what was confirmed and sends one batch; n is the number of rows it saw. What was sent before an error is
// removed all the same.
func (r *Relay) pass(ctx context.Context) (n int, err error) {
	if err := r.removeSent(ctx); err != nil {
		return 0, err
	}
	rows, err := r.cfg.Outbox.read(ctx, time.Now().Add(-r.cfg.Grace), relayBatch)
	if err != nil {
		return 0, err
	}
	// Every exit, also the end of ctx, removes what the broker has: else it would be sent again for nothing.
	defer func() { err = errors.Join(err, r.removeSent(context.WithoutCancel(ctx))) }()
	for _, row := range rows {
		if _, err := r.cfg.Sender.Send(ctx, row.msg); err != nil {
			return len(rows), err
		}
		r.Sent(row.id)
	}
	return len(rows), nil
}

func (r *Relay) removeSent(ctx context.Context) error {
	r.mu.Lock()
	ids := r.sent
	r.sent = nil
	r.mu.Unlock()
	for len(ids) > 0 {
		batch := ids[:min(len(ids), relayBatch)]
		if err := r.cfg.Outbox.remove(ctx, batch); err != nil {
			r.mu.Lock()
			r.sent = append(slices.Clone(ids), r.sent...)
			r.mu.Unlock()
			return err
		}
		ids = ids[len(batch):]
	}
	return nil
}
