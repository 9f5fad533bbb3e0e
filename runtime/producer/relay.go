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
	// relayBytes bounds what is read of a claim: with the largest message on top it is the relay's memory.
	relayBytes    = 16 << 20
	minRelayPause = 200 * time.Millisecond
	maxRelayPause = 10 * time.Second
	// relayWorkers is how many order keys are on their way at a time.
	relayWorkers = 8
	// relayClaim is how long a row belongs to a relay that died. Nothing is begun in its second half, which leaves a send its time.
	relayClaim = time.Minute
	// relayPostpone is how long a row that could not be sent lets those behind it go first.
	relayPostpone = 5 * time.Second
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
// again later, with its order key's, and holds up no others; one that can never be sent is marked, see Outbox.Failed. While
// nothing can be sent the relay tries again with growing pauses.
type Relay struct {
	cfg      RelayConfig
	postpone time.Duration // relayPostpone

	mu       sync.Mutex
	sent     []int64  // confirmed rows still in the table
	sentByID []string // and those the order system sent itself
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
// if the process ends before, it is sent again.
func (r *Relay) Sent(messageID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sentByID = append(r.sentByID, messageID)
}

// Run relays until ctx ends. Database and broker errors are logged and tried again; it never gives up.
func (r *Relay) Run(ctx context.Context) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = minRelayPause, maxRelayPause, 2
	for {
		more, err := r.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := r.cfg.Poll
		switch {
		case err != nil:
			wait = pause.NextBackOff()
			r.cfg.Logger.Warn("outbox not relayed, trying again", "error", err, "in", wait)
		case more:
			pause.Reset()
			continue
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

// pass removes what was confirmed, and claims and sends one batch; more says that there may be another. Its error is the database's, or,
// where nothing could be sent, the broker's.
func (r *Relay) pass(ctx context.Context) (more bool, err error) {
	if err := r.removeSent(ctx); err != nil {
		return false, err
	}
	name, begin := uuid.NewString(), time.Now()
	n, err := r.cfg.Outbox.claim(ctx, name, begin.Add(-r.cfg.Grace), begin, begin.Add(relayClaim), relayBatch)
	if err != nil || n == 0 {
		return false, err
	}
	b := &batch{relay: r, until: begin.Add(relayClaim / 2), behind: n == relayBatch}
	// Every exit, also the end of ctx, removes what the broker has and gives back the rest: else it would be sent again for
	// nothing, or not before the claim ends.
	defer func() {
		endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, r.removeSent(endCtx), b.giveBack(endCtx, name))
	}()
	rows, whole, err := r.cfg.Outbox.claimed(ctx, name, relayBytes)
	if err != nil {
		return false, err
	}
	b.whole, b.behind = whole, b.behind || !whole
	b.send(ctx, rows)
	if b.stopped() {
		return false, b.cause
	}
	if b.cause != nil {
		r.cfg.Logger.Warn("some rows of the outbox not relayed, trying them again", "rows", len(b.late), "error", b.cause)
	}
	return b.behind, nil
}

// batch is one claim on its way.
type batch struct {
	relay  *Relay
	until  time.Time // nothing is begun afterwards
	whole  bool      // all of the claim was read
	behind bool      // there may be more rows than were read

	mu     sync.Mutex
	done   int // rows that were sent or marked
	row    int // failures in a row
	cause  error
	late   []int64 // failed, or behind one that did
	unsent []int64 // not even tried
}

// stopped says that nothing can be sent: too much in a row failed, or all there was.
func (b *batch) stopped() bool {
	return b.cause != nil && (b.row >= relayWorkers || b.done == 0 && !b.behind)
}

// send sends the rows, each order key's one after another, and some keys beside each other.
func (b *batch) send(ctx context.Context, rows []outboxRow) {
	lines := make(chan []outboxRow)
	var workers sync.WaitGroup
	for range relayWorkers {
		workers.Go(func() {
			for line := range lines {
				b.sendLine(ctx, line)
			}
		})
	}
	for _, line := range byKey(rows) {
		lines <- line
	}
	close(lines)
	workers.Wait()
}

// byKey gathers the rows of each order key, in their order; a row without one is alone.
func byKey(rows []outboxRow) [][]outboxRow {
	var lines [][]outboxRow
	at := map[string]int{}
	for _, row := range rows {
		i, known := at[row.key]
		if row.key == "" || !known {
			i = len(lines)
			lines = append(lines, nil)
			at[row.key] = i
		}
		lines[i] = append(lines[i], row)
	}
	return lines
}

// sendLine sends rows until one cannot be sent now: those behind it must not overtake it.
func (b *batch) sendLine(ctx context.Context, line []outboxRow) {
	for i, row := range line {
		if !b.goesOn(ctx) {
			b.leave(&b.unsent, line[i:])
			return
		}
		err := row.err
		if err == nil {
			_, err = b.relay.cfg.Sender.Send(ctx, row.msg)
		}
		switch sendErr := new(SendError); {
		case err == nil:
			b.relay.confirmed(row.id)
			b.succeeded()
		case row.err != nil || errors.As(err, &sendErr) && sendErr.Permanent():
			if err = b.relay.cfg.Outbox.fail(ctx, row.id, err.Error()); err != nil {
				b.failed(err, line[i:])
				return
			}
			b.relay.cfg.Logger.Error("outbox row can never be sent, see Outbox.Failed", "messageId", row.msg.ID, "row", row.id)
			b.succeeded()
		default:
			b.failed(err, line[i:])
			return
		}
	}
}

// goesOn says whether a send may begin: the claim holds, and not everything fails.
func (b *batch) goesOn(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return ctx.Err() == nil && b.row < relayWorkers && time.Now().Before(b.until)
}

func (b *batch) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	b.row = 0
}

func (b *batch) failed(err error, line []outboxRow) {
	b.leave(&b.late, line)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.row++
	if b.cause == nil {
		b.cause = err
	}
}

func (b *batch) leave(list *[]int64, rows []outboxRow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, row := range rows {
		*list = append(*list, row.id)
	}
}

// giveBack releases what was not sent: at once what was not tried, and what failed or must not overtake a little later, so that
// it does not stand in the way of what comes behind it. When nothing can be sent there is no such way.
func (b *batch) giveBack(ctx context.Context, name string) error {
	box := b.relay.cfg.Outbox
	now := time.Now()
	late, rest := now.Add(b.relay.postpone), now
	if b.stopped() {
		late = now
	}
	if b.whole { // The rest waits for rows of other claims.
		rest = late
	}
	_, err := forBatches(ctx, box.db, box.sql.releaseRows, b.unsent, now.UnixMilli())
	_, errLate := forBatches(ctx, box.db, box.sql.releaseRows, b.late, late.UnixMilli())
	return errors.Join(err, errLate, box.release(ctx, name, rest))
}

func (r *Relay) confirmed(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, id)
}

// removeSent deletes the rows whose messages the broker confirmed.
func (r *Relay) removeSent(ctx context.Context) error {
	r.mu.Lock()
	ids, messages := r.sent, r.sentByID
	r.sent, r.sentByID = nil, nil
	r.mu.Unlock()
	box := r.cfg.Outbox
	ids, err := forBatches(ctx, box.db, box.sql.remove, ids)
	messages, errByID := forBatches(ctx, box.db, box.sql.removeMessages, messages)
	if len(ids)+len(messages) > 0 {
		r.mu.Lock()
		r.sent, r.sentByID = slices.Concat(ids, r.sent), slices.Concat(messages, r.sentByID)
		r.mu.Unlock()
	}
	return errors.Join(err, errByID)
}
