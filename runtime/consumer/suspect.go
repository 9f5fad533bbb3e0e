// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"encoding/binary"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/journal"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// CrashLoop is Dead: this process died on the message again and again.
const CrashLoop outcome.Reason = worker.ReasonCrashLoop

// solitude keeps messages that were in flight when the process died apart, so that the next death has one suspect only:
//
//	together ──a suspect is next, others run──▶ clearing ──they have ended──▶ together, and the suspect starts
//	    └──a suspect is next, nothing runs──▶ alone ──it has ended──▶ together
//
// A message has ended for this when its handler has returned and its broker, asked once, did not take the outcome: nobody dies of a broker that is away.
type solitude uint8

const (
	together solitude = iota
	clearing          // nothing starts, until nothing runs
	alone             // a suspect runs, and nothing else starts
)

// identity names a message over its retries: where it was stored first. False: nobody handles it, so that nobody dies of it.
func identity(m *rocketmq.Message) (id journal.ID, ok bool) {
	if m.Err != nil {
		return id, false
	}
	host, offset := m.StoreHost, m.PhysicalOffset
	if m.Reconsumed > 0 {
		if first, at, err := rocketmq.ParseID(m.Property(rocketmq.PropertyOriginID)); err == nil {
			host, offset = first, at
		}
	}
	addr := host.Addr().As16()
	n := copy(id[:], addr[:])
	binary.BigEndian.PutUint32(id[n:], uint32(host.Port()))
	binary.BigEndian.PutUint64(id[n+4:], uint64(offset))
	return id, true
}

// admits reports whether a queue's message may start beside what runs. If not, it will be the first when nothing runs. d.mu is held.
func (d *dispatcher) admits(q *queue, seq uint64) bool {
	if d.journal.Suspects() == 0 || d.handling() == 0 {
		return true
	}
	id, ok := identity(q.window.at(seq).message)
	if deaths := d.journal.Deaths(id); !ok || deaths == 0 || deaths >= journal.Deadly {
		return true
	}
	d.solitude = clearing
	q.listed, q.after, d.head = true, d.head, q
	if q.after == nil {
		d.tail = q
	}
	return false
}

// noteStart notes that a message is in flight. d.mu is held.
func (d *dispatcher) noteStart(t *task) {
	t.place = journal.None
	if d.journal == nil {
		return
	}
	id, ok := identity(t.message)
	if !ok {
		return
	}
	t.deaths = d.journal.Deaths(id)
	t.place = d.journal.Begin(id)
	if t.deaths > 0 && t.deaths < journal.Deadly {
		d.solitude = alone
	}
}

// noteEnd notes that it is not any more. d.mu is held.
func (d *dispatcher) noteEnd(t task, v verdict) {
	if _, survived := d.survived[t.message]; survived {
		delete(d.survived, t.message)
	} else {
		d.journal.End(t.place, v == passed || v == rested)
	}
	d.endSolitude()
}

// survive notes that nobody dies any more of a message whose end will be long in coming: its handler has returned, or is not called yet, which is not finished. d.mu is held.
func (d *dispatcher) survive(t task, finished bool) {
	d.survived[t.message] = struct{}{}
	d.journal.End(t.place, finished)
	d.endSolitude()
}

// endSolitude lets others start if nothing runs. d.mu is held.
func (d *dispatcher) endSolitude() {
	if d.handling() == 0 && d.solitude != together {
		d.solitude = together
		d.resume()
	}
}

// handling is how many messages are handed out of which somebody may die. d.mu is held.
func (d *dispatcher) handling() int { return d.running - len(d.survived) }
