// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// batch is one claim of a relay on its way.
type batch struct {
	relay  *Relay
	name   string    // of the claim
	ids    []int64   // what it took
	back   int64     // until when the rows it gives back were claimed: as they were before, fresh or not
	until  time.Time // nothing is begun afterwards
	behind bool      // there may be more rows than were read

	mu     sync.Mutex
	sent   []int64 // confirmed
	done   int     // rows that were sent or marked
	cause  error   // the first failure's
	failed []int64
}

// maxFailures is how many rows are tried while not one could be sent.
const maxFailures = 2 * relayWorkers

// stopped says that nothing can be sent: too much failed, or all there was.
func (b *batch) stopped() bool {
	return b.done == 0 && len(b.failed) > 0 && (!b.behind || len(b.failed) >= maxFailures)
}

// keepOnly gives back at once what is not to be sent: rows that wait for one of another claim, or did not fit.
func (b *batch) keepOnly(ctx context.Context, mine []outboxRow) error {
	var kept []int64
	for _, row := range mine {
		kept = append(kept, row.id)
	}
	if err := b.relay.cfg.Outbox.release(ctx, b.name, without(b.ids, kept), b.back); err != nil {
		return err // and end gives back all
	}
	b.ids = kept
	return nil
}

func without(ids, others []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return slices.Contains(others, id) })
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
	for _, row := range line {
		if !b.goesOn(ctx) {
			return
		}
		err := row.err
		if err == nil {
			_, err = b.relay.cfg.Sender.Send(ctx, row.msg)
		}
		switch sendErr := new(SendError); {
		case err == nil:
			b.confirmed(row.id)
		case row.err != nil || errors.As(err, &sendErr) && sendErr.Permanent():
			if err = b.relay.cfg.Outbox.fail(ctx, b.name, row.id, err.Error()); err != nil {
				b.fail(err, row.id)
				return
			}
			b.relay.cfg.Logger.Error("outbox row can never be sent, see Outbox.Failed", "messageId", row.msg.ID, "row", row.id)
			b.marked()
		default:
			b.fail(err, row.id)
			return
		}
	}
}

// goesOn says whether a send may begin: the claim holds, and not everything fails.
func (b *batch) goesOn(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return ctx.Err() == nil && (b.done > 0 || len(b.failed) < maxFailures) && time.Now().Before(b.until)
}

func (b *batch) confirmed(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	b.sent = append(b.sent, id)
}

func (b *batch) marked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
}

func (b *batch) fail(err error, id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = append(b.failed, id)
	if b.cause == nil {
		b.cause = err
	}
}

// end removes what was sent and gives back the rest, what failed for later. Those behind it are in nobody's way: a row is not claimed
// while one of its key before it may not be.
func (b *batch) end(ctx context.Context) error {
	r := b.relay
	left, err := r.cfg.Outbox.remove(ctx, b.sent)
	if err != nil {
		r.mu.Lock()
		r.sent = append(r.sent, left...)
		r.mu.Unlock()
		return err // and the claim goes on: given back, what the broker has would be sent again at once
	}
	return errors.Join(
		r.cfg.Outbox.release(ctx, b.name, b.failed, time.Now().Add(r.postpone).UnixMilli()),
		r.cfg.Outbox.release(ctx, b.name, without(b.ids, slices.Concat(b.sent, b.failed)), b.back))
}
