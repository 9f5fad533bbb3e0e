// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// link is our registration at one broker. It is intact while the connection lives on which the broker last confirmed our heartbeat, our slot and the
// locks of our queues; a broken connection voids all of them until they are confirmed anew.
type link struct {
	broker string
	addr   atomic.Value // string, host:port; a broker may come back elsewhere

	// generation counts the connections lost, confirmed is the generation of the last confirmation. Both are the dispatcher's, under its lock.
	generation, confirmed int

	// renewing is a lock that is held across a renewal of our queues' locks.
	renewing chan struct{}

	// trying and answers are those of the attempt made aside.
	trying, answers atomic.Bool

	// The rest is the loop's.

	// beatAt is when heartbeat and confirmation are due, registered the generation of the last heartbeat.
	beatAt     time.Time
	registered int
	// failing says that the last call failed; retryAt is when to try the broker again, aside.
	failing bool
	retryAt time.Time
	// settleAt and claimAt are when locks may be confirmed and when new ones may be taken, after an absence.
	settleAt, claimAt time.Time
	// absent: we were away for so long that others may have taken what we held, and given it back.
	absent bool
	// refused: our slot is another's here.
	refused bool
	// doubtful are queues whose locks we asked for without an answer: they may be ours.
	doubtful []rocketmq.Queue
	// freeAt is when locks of the dead may be freed again.
	freeAt time.Time
	// members is the broker's list as of viewAt, the time it was asked for.
	members []string
	viewAt  time.Time
}

func newLink(broker, addr string) *link {
	l := &link{broker: broker, generation: 1, renewing: make(chan struct{}, 1)}
	l.addr.Store(addr)
	return l
}

func (l *link) address() string { return l.addr.Load().(string) }

// intact reports whether what was confirmed still stands. The dispatcher's lock is held.
func (l *link) intact() bool { return l.generation == l.confirmed }

// generation returns what a confirmation that begins now has to carry.
func (d *dispatcher) generation(l *link) (generation int, intact bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return l.generation, l.intact()
}

// broken voids what was confirmed over a connection to addr.
func (d *dispatcher) broken(addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.links {
		if l.address() == addr {
			l.generation++
		}
	}
}

// move notes where a broker is to be found.
func (d *dispatcher) move(broker, addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.links[broker]
	switch {
	case l == nil:
		d.links[broker] = newLink(broker, addr)
	case l.address() != addr:
		l.addr.Store(addr)
		l.generation++
	}
}

// confirm notes that the broker confirmed our registration and, of the queues held there, these, in answer to calls made at that time. The queues that are
// not among them are another's; they are dropped, and returned.
func (d *dispatcher) confirm(l *link, generation int, at time.Time, held []rocketmq.Queue) (lost []*queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.confirmed = generation
	for _, q := range d.queues {
		switch {
		case q.link != l || q.phase == returning || q.renewed.After(at): // taken since
		case slices.Contains(held, q.id):
			q.renewed = at
		default: // before anybody looks again: the connection lives, and the lock was young
			d.drop(q)
			lost = append(lost, q)
		}
	}
	d.resume()
	return lost
}

// uncertain lists those of the queues just locked whose locks may have been another's before: nobody may take a lock that was confirmed less than
// fenceAge ago from a member that was not absent.
func (d *dispatcher) uncertain(l *link, at time.Time, held []rocketmq.Queue) []*queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	var uncertain []*queue
	for _, id := range held {
		q := d.queues[id]
		if q != nil && (q.phase == live || q.phase == releasing) && (l.absent || at.Sub(q.renewed) >= fenceAge) {
			uncertain = append(uncertain, q)
		}
	}
	return uncertain
}

// dispossess drops a queue if the group's offset shows that another has had it.
func (d *dispatcher) dispossess(q *queue, offset int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case q.phase == gone:
		return false
	case offset > q.window.committed && offset != q.tried:
		d.drop(q)
		return true
	case offset < q.window.committed:
		q.window.committed = offset
	}
	return false
}

// held lists the queues whose locks we have at the link's broker, and keep.
func (d *dispatcher) held(l *link) []rocketmq.Queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []rocketmq.Queue
	for id, q := range d.queues {
		if q.link == l && q.phase != returning {
			ids = append(ids, id)
		}
	}
	return ids
}

// allLinks lists the links by broker name.
func (d *dispatcher) allLinks() []*link {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Values(d.links), func(a, b *link) int { return cmp.Compare(a.broker, b.broker) })
}
