// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// release gives one queue up, because it falls to another member or because we stop: what was started ends, the position is committed, the lock given
// back. The membership goes on renewing the lock meanwhile.
//
// The lock is not given back unless the last commit was answered, or there was nothing to commit: it would let the next owner begin at an older offset.
func (c *Consumer) release(q *queue) {
	begun := time.Now()
	q.stopFetch()
	c.drain(q)
	<-q.fetched
	if err := c.lastCommit(q); err != nil {
		c.cfg.Observer.QueueLost(q.id)
		c.cfg.Log.Warn("queue left without its last commit", "queue", q.id.String(), "error", err)
		return
	}
	if !c.dispatch.handBack(q) { // lost meanwhile, which was reported
		return
	}
	if err := c.unlock(q); err != nil {
		c.cfg.Log.Warn("cannot give the lock back, it expires by itself", "queue", q.id.String(), "error", err)
	}
	took := time.Since(begun)
	c.cfg.Observer.QueueReleased(q.id, took)
	c.cfg.Log.Info("queue released", "queue", q.id.String(), "took", took)
}

// drain waits until what was started of the queue has ended, for the grace period; then what still runs is cancelled, and waited for a moment more: for
// handlers to return, and for what they say to be written to the dead letters.
func (c *Consumer) drain(q *queue) {
	grace, cancel := context.WithTimeout(c.calls, c.cfg.Grace)
	defer cancel()
	select {
	case <-q.drained:
	case <-grace.Done():
		q.cancel()
		late := time.NewTimer(stragglers + callTimeout)
		defer late.Stop()
		select {
		case <-q.drained:
		case <-late.C:
			c.cfg.Log.Error("messages are left unfinished: handlers ignore that their context was cancelled, or dead letters cannot be written", "queue", q.id.String())
		}
	}
	c.dispatch.seal(q)
}

var errUncovered = errors.New("the broker did not confirm in time that the queue is still ours")

// lastCommit commits the position until that succeeds, the queue is lost, or a stop has lasted too long: while its broker is away, for longer than a moment, as the others
// leave us our share at theirs as long as we are there.
func (c *Consumer) lastCommit(q *queue) error {
	if c.broadcasts() {
		c.keep(q)
		return nil
	}
	begun := time.Now()
	var pause backoff
	for {
		err := c.commit(q)
		if err == nil && c.dispatch.saved(q) {
			return nil
		}
		away := c.run.Err() != nil && !c.dispatch.covers(q) && time.Since(begun) > callTimeout
		if pause.wait(c.calls); away || c.calls.Err() != nil {
			return fmt.Errorf("commit the last offset of %v: %w", q.id, cmp.Or(err, errUncovered))
		}
	}
}

// handBack begins to give a queue's lock back, unless it is lost already.
func (d *dispatcher) handBack(q *queue) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q.phase == gone {
		return false
	}
	q.phase = returning
	return true
}

// lockLife is how long the broker keeps a lock that is not renewed.
const lockLife = 60 * time.Second

// unlock gives the lock back, again until that succeeds or the lock has expired; who leaves does not wait for that. A renewal that is under way is awaited:
// one that the broker took up after it would take the lock again, for nobody. Later ones leave the queue out.
func (c *Consumer) unlock(q *queue) error {
	if c.broadcasts() { // there is none
		return nil
	}
	q.link.renewing <- struct{}{} // which ends with its call
	<-q.link.renewing
	begun := time.Now()
	var pause backoff
	for {
		ctx, cancel := c.call()
		err := c.client.Unlock(ctx, q.link.address(), c.cfg.Group, c.members.lock(), []rocketmq.Queue{q.id})
		cancel()
		if err == nil {
			return nil
		}
		patience := lockLife
		if c.run.Err() != nil {
			patience = callTimeout
		}
		if pause.wait(c.calls); c.calls.Err() != nil || time.Since(begun) > patience {
			return err
		}
	}
}

// saved reports whether the broker has the queue's position, or never will from us.
func (d *dispatcher) saved(q *queue) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !q.unsaved()
}

// release begins to give a queue up: nothing beyond what was started begins any more, nothing above what rests until its next attempt, and nothing at all
// while the gate is closed or its broker away. d.mu is held.
func (d *dispatcher) release(q *queue) {
	q.phase = releasing
	q.endAlarm()
	d.setLimit(q)
	d.checkDrained(q)
}

// setLimit lets begin what lies below the highest message started of a queue in which nothing new begins any more. A suspension has set it before. d.mu is held.
func (d *dispatcher) setLimit(q *queue) {
	switch {
	case d.gate.state != flowing || !q.link.intact():
		q.limit = 0
	case !d.suspension.holds() || q.phase == live:
		q.limit = min(q.started, q.window.lowestResting())
	case !time.Now().Before(d.suspension.until):
		q.limit = 0
	}
}

// seal ends the handing out of a releasing queue.
func (d *dispatcher) seal(q *queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q.limit = 0
}

// checkDrained tells a release that nothing of its queue runs or is to run. d.mu is held.
func (d *dispatcher) checkDrained(q *queue) {
	if q.phase != releasing || q.running > 0 {
		return
	}
	if q.limit > 0 && q.window.waiting > 0 && q.window.lowest(0) < q.limit {
		return
	}
	q.endDrain()
}
