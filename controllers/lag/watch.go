// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// maxMarks are kept of a queue: where a backlog grows for days, its age is known to about an eighth.
	maxMarks = 16
	// exactly is how far the earliest and the latest time at which a message may have been stored lie apart where it is known; a quarter of its age is enough.
	exactly = time.Minute
	// longestStep is how much of the time between two looks counts as time in which a queue stood still: what was in a longer gap nobody saw.
	longestStep = 10 * time.Second
	// askAfter is for how long a time is not known before a broker is asked for it: where messages flow it is known a moment later by itself.
	askAfter = 30 * time.Second
	// askAgain lies between two questions about one queue.
	askAgain = time.Minute
)

// Head is the first of the messages that wait in a queue: the next one to be handled or, of dead letters, to be given back.
type Head struct {
	Queue  rocketmq.Queue
	Offset int64
	// Stored is when the broker stored it, by the broker's clock. Where it is known in between only it is the earliest; zero: it is not known.
	Stored time.Time
	// Since is when it was seen as the first, Still for how long it has been so while pods were to hand messages out, and Grown whether others came behind it
	// meanwhile.
	Since time.Time
	Still time.Duration
	Grown bool
}

// mark is what a look has told of the times of a queue: the message before end was stored at at, and whatever lies from end on was stored after.
type mark struct {
	end       int64
	at, after int64 // ms since 1970
}

// track follows the first of the messages that wait in a queue.
type track struct {
	offset int64
	since  time.Time
	still  time.Duration
	// end of the queue now and at since.
	end, first int64
	// marks in the order of their ends, of which the first alone may lie at or before offset.
	marks []mark
	// unknown is since when its time is not known, asked when the broker was last asked for it. Zero: it is known, never.
	unknown, asked time.Time
}

// watch follows the queues in which messages wait. The zero value is empty and ready.
type watch struct {
	time      time.Time
	consuming bool
	queues    map[rocketmq.Queue]Position // of the last look
	tracks    map[rocketmq.Queue]*track   // none where nothing waits: most queues of most groups
}

// add takes a look in. consuming says that pods are there to hand messages out, and do.
func (w *watch) add(now time.Time, queues map[rocketmq.Queue]Position, consuming bool) {
	step := time.Duration(0)
	if consuming && w.consuming {
		step = min(now.Sub(w.time), longestStep)
	}
	var tracks map[rocketmq.Queue]*track
	for q, p := range queues {
		if p.waiting() == 0 {
			continue
		}
		t, offset := w.tracks[q], max(p.Committed, p.Min)
		switch {
		case t == nil || offset < t.offset: // new here, or set back
			t = &track{offset: offset, since: now, first: p.Max}
			if before, seen := w.queues[q]; seen && before.Max <= offset {
				t.marks = []mark{{end: before.Max, after: w.time.UnixMilli()}}
			}
		case offset > t.offset:
			t.offset, t.since, t.still, t.first = offset, now, 0, p.Max
		default:
			t.still += step
		}
		t.look(now, p)
		if tracks == nil {
			tracks = map[rocketmq.Queue]*track{}
		}
		tracks[q] = t
	}
	w.time, w.consuming, w.queues, w.tracks = now, consuming, queues, tracks
}

// look notes how long the queue is, and whether the time of its first message is known by that.
func (t *track) look(now time.Time, p Position) {
	for len(t.marks) > 1 && t.marks[1].end <= t.offset {
		t.marks = slices.Delete(t.marks, 0, 1)
	}
	t.end = p.Max
	newest := p.Newest
	if newest <= 0 {
		newest = now.UnixMilli() // it is no younger
	}
	if last := len(t.marks) - 1; last >= 0 && t.marks[last].end == p.Max {
		t.marks[last].after = now.UnixMilli()
	} else {
		t.note(mark{end: p.Max, at: newest, after: now.UnixMilli()})
	}
	switch _, known := t.stored(now); {
	case known:
		t.unknown = time.Time{}
	case t.unknown.IsZero():
		t.unknown = now
	}
}

// note keeps a mark, and of too many lets the one go that is missed least; not that of the first message, whose time is told.
func (t *track) note(m mark) {
	at := slices.IndexFunc(t.marks, func(k mark) bool { return k.end >= m.end })
	if at < 0 {
		at = len(t.marks)
	}
	if at < len(t.marks) && t.marks[at].end == m.end {
		t.marks[at] = m
		return
	}
	t.marks = slices.Insert(t.marks, at, m)
	if len(t.marks) <= maxMarks {
		return
	}
	head := slices.IndexFunc(t.marks, func(k mark) bool { return k.end > t.offset })
	least := head + 1
	for i := least + 1; i < len(t.marks)-1; i++ {
		if t.gap(i) < t.gap(least) {
			least = i
		}
	}
	t.marks = slices.Delete(t.marks, least, least+1)
}

// gap is what there would be between its neighbours without a mark.
func (t *track) gap(i int) int64 { return t.marks[i+1].at - t.marks[i-1].after }

// stored is when the first message was stored, or the earliest it may have been, and whether that is near enough; zero: nothing is known.
func (t *track) stored(now time.Time) (at time.Time, known bool) {
	i := slices.IndexFunc(t.marks, func(m mark) bool { return m.end > t.offset }) // there is one: the queue's end
	latest := t.marks[i]
	switch at := time.UnixMilli(latest.at); {
	case latest.end == t.offset+1:
		return at, true
	case i == 0:
		return time.Time{}, false
	case at.Sub(time.UnixMilli(t.marks[i-1].after)) <= max(exactly, now.Sub(at)/4):
		return at, true
	}
	return time.UnixMilli(t.marks[i-1].after), false
}

// heads are the first messages of all queues in which messages wait.
func (w *watch) heads() []Head {
	var heads []Head
	for q, t := range w.tracks {
		stored, _ := t.stored(w.time)
		heads = append(heads, Head{Queue: q, Offset: t.offset, Stored: stored, Since: t.since, Still: t.still, Grown: t.end > t.first})
	}
	return heads
}

// questions are the queues of whose first message nobody knows when it was stored, and whose turn it is to be asked for.
func (w *watch) questions(now time.Time) (open []question) {
	for q, t := range w.tracks {
		if !t.unknown.IsZero() && now.Sub(t.unknown) >= askAfter && now.Sub(t.asked) >= askAgain {
			open = append(open, question{queue: q, offset: t.offset, track: t})
		}
	}
	return open
}

// question is what a broker is to be asked: when a message was stored.
type question struct {
	queue  rocketmq.Queue
	offset int64
	track  *track
}

// answered notes when the message at an offset was stored: that which was asked for, or the first after it that is there. The zero time: nobody knows.
func (t *track) answered(now time.Time, offset int64, stored time.Time) {
	t.asked = now
	if !stored.IsZero() && offset >= t.offset && offset < t.end {
		t.note(mark{end: offset + 1, at: stored.UnixMilli(), after: stored.UnixMilli()})
	}
	if _, known := t.stored(now); known {
		t.unknown = time.Time{}
	}
}
