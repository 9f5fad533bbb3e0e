// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"slices"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/fence"
	"github.com/orderflow-dev/orderflow/runtime/journal"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// dispatcher decides what may start. It holds, under one lock, what all queues have fetched and where each message stands, the fence and the gate; no
// call is made with the lock held.
type dispatcher struct {
	observer Observer
	// hungry: messages are fetched only when a batch is asked for (Pull mode).
	hungry bool
	// budget bounds bytes.
	budget int
	// done ends with close.
	done chan struct{}
	// helpers are the goroutines that wait for a gate to open.
	helpers sync.WaitGroup

	mu     sync.Mutex
	wake   sync.Cond // for those who wait in take
	asleep int       // how many wait there
	waking bool      // one of them has been woken and has not looked yet
	queues map[rocketmq.Queue]*queue
	links  map[string]*link // by broker name
	// head and tail are the list of queues that have something waiting. Who has had its turn goes to the end, so that a queue just gained is served
	// before the backlog of the others.
	head, tail *queue
	gate       gate
	suspension suspension
	// stopped is when handing out stopped, for the gate or a suspension; zero: it goes on.
	stopped  time.Time
	solitude solitude
	journal  *journal.Journal               // of what is in flight
	survived map[*rocketmq.Message]struct{} // of what runs, what has been handled and not yet taken by its broker, or waits to be marked
	running  int
	bytes    int // held by what is fetched and not finished
	demand   int // messages asked for and not yet fetched, if hungry
	id       string
	member   bool      // listed as id by a broker
	joinedAt time.Time // when it was for the first time
	settled  bool      // whatever fell to it was once all taken
	closed   bool
}

func newDispatcher(o Observer, j *journal.Journal, hungry bool, budget int) *dispatcher {
	d := &dispatcher{observer: o, journal: j, hungry: hungry, budget: budget, done: make(chan struct{}), queues: map[rocketmq.Queue]*queue{}, links: map[string]*link{}, survived: map[*rocketmq.Message]struct{}{}}
	d.wake.L = &d.mu
	return d
}

// task is one message handed out.
type task struct {
	queue   *queue
	seq     uint64
	message *rocketmq.Message
	// place is the journal's; deaths are those of the process that the message was in flight at. marked: others are told that it is.
	place, deaths int
	marked        bool
	// flaw is why the message must not be handled, nil if it may.
	flaw error
	// aside: it has ended, and all that is left is to tell its broker; or it waits until that can be told of its last run.
	aside bool
}

// verdict is what becomes of a message that was handed out.
type verdict uint8

const (
	passed    verdict = iota // its offset may pass
	parked                   // it waits again
	fenced                   // nobody was called, since the queue is not certainly ours, or its broker cannot be told of a last run: it waits again
	rested                   // it is tried again in its lane
	deferred                 // it has ended, which its broker cannot be told yet: that goes on aside, and it stays handed out
	abandoned                // its offset must not pass: whoever has the queue next gets it again
)

// take waits for a message to hand out; false: there will be none any more.
func (d *dispatcher) take() (task, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.closed {
		if t, ok := d.next(); ok {
			d.rouse()
			return t, true
		}
		d.sleep()
	}
	return task{}, false
}

// exchange takes a message back and hands out another, if one may start at once: what take and settle do, for who has done its work, at one turn of the lock.
func (d *dispatcher) exchange(t task, v verdict, o outcome.Outcome) (next task, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.takeBack(t, v, o)
	if d.closed {
		return task{}, false
	}
	return d.next()
}

// next returns a message that may start now. d.mu is held.
func (d *dispatcher) next() (task, bool) {
	if d.head == nil || d.solitude != together {
		return task{}, false
	}
	switch d.gate.state {
	case flowing:
		now := time.Now()
		for q := d.pop(); q != nil; q = d.pop() {
			seq, ok := q.startable(now)
			switch {
			case !ok, d.bars(q, seq, now):
			case d.admits(q, seq):
				return d.begin(q, seq), true
			default:
				return task{}, false
			}
		}
	case probing:
		if !d.suspension.holds() {
			return d.probe(time.Now())
		}
	}
	return task{}, false
}

// begin hands out a message. d.mu is held.
func (d *dispatcher) begin(q *queue, seq uint64) task {
	q.started = max(q.started, seq+1)
	return d.withdraw(q, seq)
}

// withdraw takes a message out of those that wait. d.mu is held.
func (d *dispatcher) withdraw(q *queue, seq uint64) task {
	q.running++
	d.running++
	t := task{queue: q, seq: seq, message: q.window.begin(seq), flaw: q.window.flaw(seq)}
	d.noteStart(&t)
	d.offer(q)
	return t
}

// settle takes a message back. o is what the handler said; it closes the gate if the message was parked. Who settles does not take the next message: others do.
func (d *dispatcher) settle(t task, v verdict, o outcome.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.takeBack(t, v, o)
	d.rouse()
}

// takeBack does what settle says. d.mu is held.
func (d *dispatcher) takeBack(t task, v verdict, o outcome.Outcome) {
	if v == deferred {
		d.survive(t, o.Kind != outcome.Park)
		d.settleGate(t, v, o)
		return
	}
	q := t.queue
	q.running--
	d.running--
	switch v {
	case passed:
		if freed := q.window.finish(t.seq); q.phase != gone {
			d.free(freed)
		}
		d.advance(q)
		if q.idle && q.window.ripe() {
			q.wake() // to commit, which makes room
		}
	case parked, fenced:
		q.window.hold(t.seq)
		d.offer(q)
	case rested:
		d.rest(t, o.After)
	case abandoned:
	}
	d.settleGate(t, v, o)
	d.noteEnd(t, v)
	d.checkDrained(q)
}

// put adds what was fetched, with its keys if order is kept, in a reply of so many bytes; next is where to go on.
func (d *dispatcher) put(q *queue, messages []rocketmq.Message, keys []key, bytes int, next int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q.phase != live || next < q.window.next {
		return
	}
	if room := q.window.room(); len(messages) > room { // more than we asked for
		next, messages = messages[room].Offset, messages[:room]
	}
	q.doubt.cast(messages)
	d.bytes -= q.window.bytes
	startable := q.window.append(messages, keys, bytes)
	d.bytes += q.window.bytes
	q.window.next = next
	d.demand = max(0, d.demand-startable)
	d.offer(q)
	d.rouse()
}

// rouse wakes one of those who wait for a message, if there is one to be had. Who has been woken wakes the next: where handlers are quick, who is awake has had all
// messages before a second has come to itself, and most are left to sleep. d.mu is held.
func (d *dispatcher) rouse() {
	if d.head != nil && d.asleep > 0 && !d.waking {
		d.waking = true
		d.wake.Signal()
	}
}

// sleep waits until there may be something to hand out. d.mu is held, except meanwhile.
func (d *dispatcher) sleep() {
	d.asleep++
	d.wake.Wait()
	d.asleep--
	d.waking = false
}

// offer lists the queue if it has something waiting. d.mu is held.
func (d *dispatcher) offer(q *queue) {
	if q.listed || q.window.waiting == 0 || q.phase == gone {
		return
	}
	q.listed = true
	if d.head == nil {
		d.head = q
	} else {
		d.tail.after = q
	}
	d.tail = q
}

// pop takes the first queue off the list. d.mu is held.
func (d *dispatcher) pop() *queue {
	q := d.head
	if q != nil {
		d.head, q.after, q.listed = q.after, nil, false
	}
	return q
}

// resume lets everybody look again, after something that held them back has changed. d.mu is held.
func (d *dispatcher) resume() {
	for _, q := range d.queues {
		d.offer(q)
		q.wake()
	}
	d.wake.Broadcast()
}

// close ends take for everybody.
func (d *dispatcher) close() {
	d.mu.Lock()
	d.closed = true
	close(d.done)
	d.wake.Broadcast()
	d.mu.Unlock()
	d.helpers.Wait()
}

// add makes a queue known.
func (d *dispatcher) add(q *queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queues[q.id] = q
	d.guard(q)
}

// guard makes the fence of a queue's handlers.
func (d *dispatcher) guard(q *queue) {
	q.ctx = fence.With(q.ctx, func() bool { return d.covers(q) })
}

// open starts a queue at its committed offset.
func (d *dispatcher) open(q *queue, size int, offset int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q.missing = false
	if q.phase == opening {
		q.window, q.phase = newWindow(size, offset), live
	}
}

// holds reports whether the queue is still ours to act for.
func (d *dispatcher) holds(q *queue) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return q.phase != gone
}

// covers reports whether the queue is certainly ours.
func (d *dispatcher) covers(q *queue) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return q.phase != gone && q.covered(time.Now())
}

// forget drops a queue: it was released, or is lost.
func (d *dispatcher) forget(q *queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(q)
}

// drop ends a queue: nothing of it is handed out or committed any more, and who still handles or fetches for it may stop. d.mu is held.
func (d *dispatcher) drop(q *queue) {
	if q.phase != gone {
		d.free(q.window.bytes)
	}
	q.phase = gone
	q.endAlarm()
	q.endDrain()
	q.cancel()
	if d.queues[q.id] == q {
		delete(d.queues, q.id)
	}
}

// empty reports whether no queue is held any more.
func (d *dispatcher) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.queues) == 0
}

// missing lists those of ours at the link's broker that are not held.
func (d *dispatcher) missing(l *link, ours []rocketmq.Queue) []rocketmq.Queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []rocketmq.Queue
	for _, id := range ours {
		if id.Broker == l.broker && d.queues[id] == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// surplus begins the release of queues that are held and not ours, and returns them; of those at a broker that is away only if all go.
func (d *dispatcher) surplus(ours []rocketmq.Queue, all bool) []*queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	var surplus []*queue
	for id, q := range d.queues {
		if q.phase >= releasing || slices.Contains(ours, id) || !all && !q.link.intact() {
			continue
		}
		d.release(q)
		surplus = append(surplus, q)
	}
	return surplus
}

// joined notes under which id we are a member, if we are.
func (d *dispatcher) joined(id string, member bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id, d.member = id, member
	if member && d.joinedAt.IsZero() {
		d.joinedAt = time.Now()
	}
}

// settleIn notes that whatever falls to us has been taken.
func (d *dispatcher) settleIn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settled = d.settled || d.member
}
