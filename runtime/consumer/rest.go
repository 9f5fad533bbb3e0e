// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import "time"

// defaultRest is how long a message rests whose handler asked for no delay.
const defaultRest = time.Second

// rest has a message tried again in its lane after a delay. One whose queue is being released is dropped, and what lies above it is not started any
// more: the next owner begins with it. d.mu is held.
func (d *dispatcher) rest(t task, delay time.Duration) {
	q := t.queue
	if delay <= 0 {
		delay = defaultRest
	}
	due := time.Now().Add(delay)
	t.message.Reconsumed++ // the broker does not count this attempt
	q.window.rest(t.seq, due)
	if q.phase != live || d.suspension.holds() {
		q.limit = min(q.limit, t.seq)
	}
	switch {
	case q.phase != live:
	case q.alarm == nil || due.Before(q.alarmAt):
		d.setAlarm(q, due)
	}
}

// setAlarm has the queue's resting messages looked at. d.mu is held.
func (d *dispatcher) setAlarm(q *queue, at time.Time) {
	q.endAlarm()
	q.alarmAt = at
	q.alarm = time.AfterFunc(time.Until(at), func() { d.rise(q) })
}

// endAlarm lets resting messages rest for good. The dispatcher's lock is held.
func (q *queue) endAlarm() {
	if q.alarm != nil {
		q.alarm.Stop()
		q.alarm = nil
	}
}

// rise makes those of a queue's resting messages wait to be started whose time has come.
func (d *dispatcher) rise(q *queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q.phase != live {
		return
	}
	q.endAlarm()
	next := q.window.rise(time.Now())
	if !next.IsZero() {
		d.setAlarm(q, next)
	}
	d.offer(q)
	d.rouse()
}

// advance lists a queue again in which a message has finished: the one behind it may start. d.mu is held.
func (d *dispatcher) advance(q *queue) {
	if q.window.lanes != nil {
		d.offer(q)
	}
}
