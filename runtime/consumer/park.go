// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// probeSpacing is the least time between two probes, so that a handler whose Resume is closed at once does not spin.
const probeSpacing = 50 * time.Millisecond

// gate stands between fetched messages and handlers.
//
//	flowing ──a message came back parked──▶ shut ────Resume──▶ probing ──a message is handed out──▶ awaiting
//	   ▲                                      ▲─────────────────came back parked──────────────────────┤
//	   └───────────────────────────────────────────────came back otherwise────────────────────────────┘
type gate struct {
	state gateState
	// since is when it closed, and why.
	since  time.Time
	reason outcome.Reason
	// probeQueue and probeSeq name the message that is out as a probe; at is when it was handed out.
	probeQueue *queue
	probeSeq   uint64
	probedAt   time.Time
	// failing is the last probe, if it was parked.
	failing Probe
}

// Probe is a message that was tried while the consumer is parked, and was parked again. The zero Probe is none.
type Probe struct {
	Queue     rocketmq.Queue
	Offset    int64
	MessageID string
	// Failed is how often that happened since Since, with no other message tried between.
	Failed int
	Since  time.Time
}

type gateState uint8

const (
	flowing  gateState = iota
	shut               // until Resume
	probing            // the next message is a probe
	awaiting           // the probe is out
)

// park closes the gate until resume is closed, if it is open.
func (d *dispatcher) park(resume <-chan struct{}, reason outcome.Reason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gate.state == flowing {
		d.shut(resume, reason)
	}
}

// shut closes the gate. d.mu is held.
func (d *dispatcher) shut(resume <-chan struct{}, reason outcome.Reason) {
	if d.closed {
		return
	}
	if d.gate.state == flowing {
		d.gate.since = time.Now()
		d.tellStop(reason)
	}
	d.gate.state, d.gate.reason = shut, reason
	for _, q := range d.queues {
		q.limit = 0 // what is parked while its queue is released is dropped
		d.checkDrained(q)
	}
	d.helpers.Go(func() { d.awaitResume(resume) })
}

func (d *dispatcher) awaitResume(resume <-chan struct{}) {
	select {
	case <-resume:
	case <-d.done:
		return
	}
	d.mu.Lock()
	pause := probeSpacing - time.Since(d.gate.probedAt)
	d.mu.Unlock()
	if pause > 0 {
		select {
		case <-time.After(pause):
		case <-d.done:
			return
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate.state = probing
	d.resume()
}

// probe hands out one message: of the queue whose turn it is, another than was its last probe while it has another. d.mu is held.
func (d *dispatcher) probe(now time.Time) (task, bool) {
	for q := d.pop(); q != nil; q = d.pop() {
		if _, ok := q.startable(now); !ok || q.phase != live {
			continue
		}
		seq := q.window.lowest(q.probed)
		if !d.admits(q, seq) {
			return task{}, false
		}
		q.probed = seq + 1
		d.gate.state, d.gate.probeQueue, d.gate.probeSeq, d.gate.probedAt = awaiting, q, seq, now
		d.observer.Probing()
		return d.begin(q, seq), true
	}
	return task{}, false
}

// settleGate looks at what a message that came back means for the gate. While the gate is closed only the probe counts: whatever parked another
// message will park the probe too. d.mu is held.
func (d *dispatcher) settleGate(t task, v verdict, o outcome.Outcome) {
	g := &d.gate
	probe := g.state == awaiting && g.probeQueue == t.queue && g.probeSeq == t.seq
	switch {
	case v == parked && (probe || g.state == flowing):
		if probe {
			g.failed(t.message)
		}
		d.shut(o.Resume, o.Reason)
	case !probe:
	case v == abandoned || v == fenced || t.message.Err != nil || o.Uncalled: // says nothing about the third party
		g.state = probing
		d.resume()
	default:
		g.state, g.failing = flowing, Probe{}
		d.tellFlow()
		d.resume()
	}
}

// failed notes that a probe was parked.
func (g *gate) failed(m *rocketmq.Message) {
	f := &g.failing
	if f.Queue != m.Queue || f.Offset != m.Offset || f.Failed == 0 {
		*f = Probe{Queue: m.Queue, Offset: m.Offset, MessageID: m.OriginalID(), Since: g.probedAt}
	}
	f.Failed++
}

// barred reports whether the gate keeps queues from being fetched. Where there is only one message to probe with there must be others, or one that is at fault
// itself would keep everything parked; none of a broker that is away can be one. d.mu is held.
func (d *dispatcher) barred() bool {
	if d.suspension.holds() {
		return true
	}
	if d.gate.state != shut && d.gate.state != awaiting {
		return false
	}
	now := time.Now()
	left := d.handling()
	for _, q := range d.queues {
		if q.phase == live && q.covered(now) {
			left += q.window.waiting
		}
	}
	return left > 1
}
