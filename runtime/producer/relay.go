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
	"github.com/google/uuid"
)

const (
	defaultPoll = 200 * time.Millisecond
	// relayBatch is how many rows are claimed, and how many confirmed ones removed, by one statement.
	relayBatch = 100
	// relayBytes bounds what is read of a claim: twice that, with two largest messages on top, is the relay's memory.
	relayBytes    = 8 << 20
	minRelayPause = 200 * time.Millisecond
	maxRelayPause = 10 * time.Second
	// relayWorkers is how many order keys of a claim are on their way at a time.
	relayWorkers = 8
	// relayClaim is how long a row belongs to a relay that died. Nothing is begun in its second half, which leaves a send its time.
	relayClaim = time.Minute
	// relayPostpone is how long a row that could not be sent is left alone.
	relayPostpone = time.Second
	// maxSent bounds what is remembered of messages that the order system sent, while the database or Run is away.
	maxSent = 100_000
	// closeTimeout bounds the removing and giving back of rows when Run ends.
	closeTimeout = 5 * time.Second
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
	// that sends by itself after the commit sets it above its send timeout and calls Sent. Messages with order keys are for
	// the relay alone: one sent by the order system would overtake an earlier one that is still in the table.
	Grace time.Duration
	// Poll is the pause between two looks at an empty table. Default 200 ms.
	Poll time.Duration
	// Logger defaults to slog's default logger.
	Logger *slog.Logger
}

// Relay sends the outbox's rows, each at least once, and removes them when the broker confirmed. Rows of one order key are sent
// in their order, one after another, whichever relays do it; others have no order. A row that cannot be sent now is tried
// again later, with its order key's, by a loop of its own, so that it holds up no others; one that can never be sent is marked,
// see Outbox.Failed. While nothing can be sent the relay tries again with growing pauses, up to 10 s.
type Relay struct {
	cfg      RelayConfig
	postpone time.Duration // relayPostpone

	mu       sync.Mutex
	sent     []int64  // confirmed rows that could not be removed; their claims keep them from being sent again, for a while
	sentByID []string // those the order system sent itself
}

// NewRelay makes a relay; Run runs it. Any number of relays may run on one table.
func NewRelay(cfg RelayConfig) *Relay {
	if cfg.Poll == 0 {
		cfg.Poll = defaultPoll
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Relay{cfg: cfg, postpone: relayPostpone}
}

// Sent tells that the broker confirmed the message to the order system itself. The row is removed by the next pass;
// if the process ends before, or while 100,000 are to be removed, it is sent again.
func (r *Relay) Sent(messageID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sentByID) < maxSent {
		r.sentByID = append(r.sentByID, messageID)
	}
}

// Run relays until ctx ends. Database and broker errors are logged and tried again; it never gives up.
func (r *Relay) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { r.loop(ctx, r.passFresh) })
	loops.Go(func() { r.loop(ctx, r.passAgain) })
	loops.Wait()
}

// found is what a pass found to be sent.
type found int

const (
	nothing found = iota
	all           // there was
	some          // and there may be more
)

func (r *Relay) loop(ctx context.Context, pass func(context.Context) (found, error)) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = minRelayPause, maxRelayPause, 2
	for {
		had, err := pass(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := r.cfg.Poll
		switch {
		case err != nil:
			wait = pause.NextBackOff()
			r.cfg.Logger.Warn("outbox not relayed, trying again", "error", err, "in", wait)
		case had == some:
			pause.Reset()
			continue
		case had == all:
			pause.Reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (r *Relay) passFresh(ctx context.Context) (found, error) { return r.pass(ctx, fresh()) }

func (r *Relay) passAgain(ctx context.Context) (found, error) {
	return r.pass(ctx, again(time.Now()))
}

// pass removes what was confirmed, and claims and sends one batch. Its error is the database's, or, where nothing could be sent, the
// broker's.
func (r *Relay) pass(ctx context.Context, rows due) (_ found, err error) {
	if err := r.removeSent(ctx); err != nil {
		return nothing, err
	}
	begin := time.Now()
	b := &batch{relay: r, name: uuid.NewString(), back: rows.to, until: begin.Add(relayClaim / 2)}
	b.ids, err = r.cfg.Outbox.claim(ctx, b.name, rows, begin.Add(-r.cfg.Grace), begin.Add(relayClaim), relayBatch)
	if err == nil && len(b.ids) == 0 {
		return nothing, nil
	}
	// Every exit, also the end of ctx, removes what the broker has and gives back the rest: else it would be sent again for
	// nothing, or not before the claim ends.
	defer func() {
		endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, b.end(endCtx))
	}()
	if err != nil {
		return nothing, err
	}
	mine, whole, err := r.cfg.Outbox.claimed(ctx, b.name, b.ids, relayBytes)
	if err != nil {
		return nothing, err
	}
	b.behind = len(b.ids) == relayBatch || !whole
	if err := b.keepOnly(ctx, mine); err != nil {
		return nothing, err
	}
	b.send(ctx, mine)
	if b.stopped() {
		return nothing, b.cause
	}
	if b.cause != nil {
		r.cfg.Logger.Warn("some rows of the outbox not relayed, trying them again", "rows", len(b.failed), "error", b.cause)
	}
	if b.behind {
		return some, nil
	}
	return all, nil
}

// removeSent deletes the rows whose messages the broker confirmed, to the order system or when they could not be removed at once.
func (r *Relay) removeSent(ctx context.Context) error {
	r.mu.Lock()
	ids, messages := r.sent, r.sentByID
	r.sent, r.sentByID = nil, nil
	r.mu.Unlock()
	ids, err := r.cfg.Outbox.remove(ctx, ids)
	messages, errByID := r.cfg.Outbox.removeMessages(ctx, messages)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent, r.sentByID = slices.Concat(ids, r.sent), slices.Concat(messages, r.sentByID)
	return errors.Join(err, errByID)
}
