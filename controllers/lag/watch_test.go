// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

var orders = rocketmq.Queue{Topic: "Orders", Broker: "a", ID: 0}

// queue is one that a test fills and empties: when each of its messages was stored.
type queue struct {
	stored         []time.Time
	min, committed int64
}

func (q *queue) store(at time.Time, count int) {
	for range count {
		q.stored = append(q.stored, at)
	}
}

func (q *queue) look(w *watch, now time.Time, consuming bool) {
	p := Position{Min: q.min, Max: int64(len(q.stored)), Committed: q.committed}
	if len(q.stored) > 0 {
		p.Newest = q.stored[len(q.stored)-1].UnixMilli()
	}
	w.add(now, map[rocketmq.Queue]Position{orders: p}, consuming)
}

// head is the only one; its Stored is zero if there is none.
func (w *watch) head(t interface{ Fatalf(string, ...any) }) Head {
	switch heads := w.heads(); len(heads) {
	case 0:
		return Head{}
	case 1:
		return heads[0]
	default:
		t.Fatalf("one queue has the heads %v", heads)
		return Head{}
	}
}

func TestWhenTheFirstMessageWasStored(t *testing.T) {
	hours := func(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Hour))) }
	for sentence, test := range map[string]struct {
		does func(q *queue, w *watch)
		want time.Time
		asks bool
	}{
		"nothing waits": {func(q *queue, w *watch) {
			q.store(hours(0), 3)
			q.committed = 3
			q.look(w, hours(1), true)
		}, time.Time{}, false},
		"one message waits when it is looked at first": {func(q *queue, w *watch) {
			q.store(hours(0), 3)
			q.committed = 2
			q.look(w, hours(5), true)
		}, hours(0), false},
		"of more than one nobody knows, and a broker is asked half a minute later": {func(q *queue, w *watch) {
			q.store(hours(0), 3)
			q.look(w, hours(5), true)
			q.look(w, hours(5).Add(askAfter), true)
		}, time.Time{}, true},
		"it is not asked for at once": {func(q *queue, w *watch) {
			q.store(hours(0), 3)
			q.look(w, hours(5), true)
		}, time.Time{}, false},
		"the broker told": {func(q *queue, w *watch) {
			q.store(hours(0), 3)
			q.look(w, hours(5), true)
			w.tracks[orders].answered(hours(5), 0, hours(0))
			q.look(w, hours(5).Add(askAfter), true)
		}, hours(0), false},
		"the broker does not know, and is asked again a minute later": {func(q *queue, w *watch) {
			q.store(hours(0), 3)
			q.look(w, hours(5), true)
			w.tracks[orders].answered(hours(5), 0, time.Time{})
			q.look(w, hours(5).Add(askAgain), true)
		}, time.Time{}, true},
		"and no sooner": {func(q *queue, w *watch) {
			q.store(hours(0), 3)
			q.look(w, hours(5), true)
			w.tracks[orders].answered(hours(5).Add(askAfter), 0, time.Time{})
			q.look(w, hours(5).Add(askAgain), true)
		}, time.Time{}, false},
		"many come at once after days of silence": {func(q *queue, w *watch) {
			q.store(hours(-72), 3)
			q.committed = 3
			q.look(w, hours(0), true)
			q.store(hours(0).Add(time.Second), 50)
			q.look(w, hours(0).Add(2*time.Second), true)
		}, hours(0).Add(time.Second), false},
		"nobody looked for an hour: it may be an hour old": {func(q *queue, w *watch) {
			q.look(w, hours(0), true)
			q.store(hours(0.5), 50)
			q.look(w, hours(1), true)
		}, hours(0), false},
		"what the broker has deleted is not the first": {func(q *queue, w *watch) {
			q.store(hours(0), 1)
			q.look(w, hours(0), true)
			q.store(hours(1), 1)
			q.look(w, hours(1), true)
			q.min = 1
			q.look(w, hours(2), true)
		}, hours(1), false},
		"the group was set back": {func(q *queue, w *watch) {
			q.store(hours(0), 9)
			q.committed = 9
			q.look(w, hours(1), true)
			q.committed = 2
			q.look(w, hours(2), true)
		}, time.Time{}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			var q queue
			var w watch
			test.does(&q, &w)
			if got := w.head(t).Stored; !got.Equal(test.want) {
				t.Errorf("it was stored at %s, want %s", got.UTC(), test.want)
			}
			if got := len(w.questions(w.time)) > 0; got != test.asks {
				t.Errorf("a broker is asked is %t, want %t", got, test.asks)
			}
		})
	}
}

func TestThePlaceOfTheFirstMessageInTimeIsNearTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var w watch
		now := noon
		q.look(&w, now, true)
		for range rapid.IntRange(1, 300).Draw(t, "looks") {
			step := time.Duration(rapid.SampledFrom([]int{1, 1, 1, 30, 600, 7200}).Draw(t, "seconds")) * time.Second
			q.store(now.Add(step/2), rapid.IntRange(0, 5).Draw(t, "stored"))
			now = now.Add(step)
			q.committed += rapid.Int64Range(0, min(4, int64(len(q.stored))-q.committed)).Draw(t, "handled")
			q.look(&w, now, true)
			if q.committed == int64(len(q.stored)) {
				continue
			}
			truth, got := q.stored[q.committed], w.head(t).Stored
			if got.IsZero() {
				t.Fatal("nothing is known, though all was seen")
			}
			_, known := w.tracks[orders].stored(now)
			if slack := max(exactly, now.Sub(got)/4); known && got.Sub(truth) > slack {
				t.Fatalf("it was stored %s ago, and %s is told", now.Sub(truth), now.Sub(got))
			}
			if !known && got.After(truth) {
				t.Fatalf("not known, and told younger than it is: %s for %s", now.Sub(got), now.Sub(truth))
			}
			if n := len(w.tracks[orders].marks); n > maxMarks {
				t.Fatalf("%d marks are kept", n)
			}
		}
	})
}

func TestWhatIsToldOfAMessageDoesNotChangeWhileItWaits(t *testing.T) {
	var q queue
	var w watch
	q.look(&w, noon, true)
	for s := range 1000 {
		now := noon.Add(time.Duration(s+1) * time.Second)
		q.store(now, 3)
		q.look(&w, now, true)
		if got, want := w.head(t).Stored, noon.Add(time.Second); !got.Equal(want) {
			t.Fatalf("after %d s the first message is told to be of %s, not of %s", s, got.UTC(), want)
		}
	}
}

func TestHowLongAQueueStandsStill(t *testing.T) {
	for sentence, test := range map[string]struct {
		change func(second int, q *queue) (consuming bool)
		want   Head
	}{
		"nothing moves it, and others come": {func(s int, q *queue) bool { q.store(noon, 1); return true }, Head{Offset: 0, Since: noon, Still: 20 * time.Second, Grown: true}},
		"nothing moves it, and nothing comes": {func(s int, q *queue) bool {
			if s == 0 {
				q.store(noon, 1)
			}
			return true
		}, Head{Offset: 0, Since: noon, Still: 20 * time.Second}},
		"it moved ten seconds ago": {func(s int, q *queue) bool {
			q.store(noon, 1)
			if s == 10 {
				q.committed = 3
			}
			return true
		}, Head{Offset: 3, Since: noon.Add(10 * time.Second), Still: 10 * time.Second, Grown: true}},
		"pods were parked for half of the time": {func(s int, q *queue) bool { q.store(noon, 1); return s >= 10 }, Head{Offset: 0, Since: noon, Still: 10 * time.Second, Grown: true}},
	} {
		t.Run(sentence, func(t *testing.T) {
			var q queue
			var w watch
			for s := range 21 {
				consuming := test.change(s, &q)
				q.look(&w, noon.Add(time.Duration(s)*time.Second), consuming)
			}
			got := w.head(t)
			if got.Offset != test.want.Offset || !got.Since.Equal(test.want.Since) || got.Still != test.want.Still || got.Grown != test.want.Grown {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestAGapInWhichNobodyLookedIsNoTimeOfStandingStill(t *testing.T) {
	var q queue
	var w watch
	q.store(noon, 1)
	q.look(&w, noon, true)
	q.look(&w, noon.Add(time.Hour), true)
	if got := w.head(t).Still; got != longestStep {
		t.Errorf("after an hour in which no broker answered it stands still for %s", got)
	}
}
