// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"errors"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestWhatMessagesShowOfClocks(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	stored := func(offset int64, age time.Duration) rocketmq.Message {
		return rocketmq.Message{Offset: offset, Stored: now.Add(-age).UnixMilli()}
	}
	broken := stored(7, time.Hour)
	broken.Err = errors.New("unreadable")
	seven := edge{offset: 7, pulled: now.Add(-15 * time.Second)}
	for sentence, c := range map[string]struct {
		edge     edge
		messages []rocketmq.Message
		want     time.Duration
	}{
		"stored just now":                                {seven, []rocketmq.Message{stored(7, 0)}, 0},
		"stored in half a minute":                        {seven, []rocketmq.Message{stored(7, -maxSkew)}, 0},
		"stored later than that: we are behind":          {seven, []rocketmq.Message{stored(7, -31*time.Second)}, -31 * time.Second},
		"a backlog's last is stored later than now":      {edge{}, []rocketmq.Message{stored(5, time.Hour), stored(6, -time.Minute)}, -time.Minute},
		"new, and stored long before: we are ahead":      {seven, []rocketmq.Message{stored(7, time.Hour)}, time.Hour - 15*time.Second},
		"new behind some that are old":                   {seven, []rocketmq.Message{stored(6, time.Hour), stored(7, time.Hour)}, time.Hour - 15*time.Second},
		"new, and stored a little before":                {seven, []rocketmq.Message{stored(7, 45*time.Second)}, 0},
		"it was there: nobody knows how long it waited":  {seven, []rocketmq.Message{stored(6, time.Hour)}, 0},
		"the first pull: all may have been there before": {edge{}, []rocketmq.Message{stored(6, time.Hour)}, 0},
		"what cannot be read has no time":                {seven, []rocketmq.Message{broken}, 0},
		"nothing came":                                   {seven, nil, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := c.edge.skew(c.messages, now); got != c.want {
				t.Errorf("ahead by %v, want %v", got, c.want)
			}
		})
	}
}

func TestAJumpOfTheClockMakesNothingOlder(t *testing.T) {
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	type moment struct {
		after time.Duration // by the monotonic clock
		wrong time.Duration // the wall clock is
		young bool          // a message is pulled that was stored just now
		want  time.Duration // how wrong the earliest time is
	}
	for sentence, moments := range map[string][]moment{
		"a clock that is right":              {{after: time.Hour}, {after: 2 * time.Hour, young: true}, {after: 3 * time.Hour}},
		"it jumps ahead":                     {{after: time.Minute, young: true}, {after: time.Minute, wrong: 2 * time.Hour}, {after: time.Hour, wrong: 2 * time.Hour}},
		"what comes then shows nothing else": {{after: time.Minute, wrong: 2 * time.Hour, young: true}, {after: time.Hour, wrong: 2 * time.Hour}},
		"it jumps back":                      {{after: time.Minute, wrong: -time.Hour, want: -time.Hour}, {after: time.Hour}},
		"a slow one is taken over by nobody": {{after: time.Minute, wrong: -time.Hour, young: true, want: -time.Hour}, {after: time.Hour}},
		"it was set right by so little that nobody would call it wrong": {{after: time.Minute, wrong: 20 * time.Second}, {after: time.Hour, wrong: 20 * time.Second, young: true, want: 20 * time.Second}},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := steady{wall: start}
			for _, m := range moments {
				right := start.Add(m.after)
				wall := right.Add(m.wrong)
				if m.young {
					s.show(wall, m.after, wall.Sub(right))
				}
				if got := s.earliest(wall, m.after).Sub(right); got != m.want {
					t.Errorf("after %v the earliest time is wrong by %v, want %v", m.after, got, m.want)
				}
			}
		})
	}
}

func TestAClockThatStartedSlowIsBelievedOnceAMessageShowsItRight(t *testing.T) {
	right := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s := steady{wall: right.Add(-time.Hour)}
	if got := s.earliest(right, 0); !got.Equal(right.Add(-time.Hour)) {
		t.Errorf("set right after it had started, it may be %v at the earliest; nobody knows yet which was right", got)
	}
	s.show(right, 0, maxSkew)
	if got := s.earliest(right, 0); !got.Equal(right) {
		t.Errorf("a message was stored %v ago by it; yet it may be %v", maxSkew, got)
	}
}

func TestAClockThatDiffersIsSeenAndForgotten(t *testing.T) {
	for sentence, c := range map[string]struct {
		broker   time.Duration // ahead of us
		low, top time.Duration
	}{
		"ours is right":  {0, 0, 0},
		"ours is ahead":  {-time.Hour, time.Hour - pollWait - time.Second, time.Hour},
		"ours is behind": {time.Hour, -time.Hour, -time.Hour + time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				w.fake.SetClock(c.broker)
				x := w.join("one", done)
				w.awaitOwner(x)
				elapse(time.Minute)
				w.fill(1)
				w.awaitHandled(1, time.Second)
				if got := x.ClockSkew(); got < c.low || got > c.top {
					t.Errorf("ahead by %v, want %v to %v", got, c.low, c.top)
				}
				w.fake.SetClock(0)
				elapse(skewMemory)
				w.fill(1)
				elapse(time.Second)
				if got := x.ClockSkew(); got != 0 {
					t.Errorf("ten minutes after the clocks were set right, still ahead by %v", got)
				}
			})
		})
	}
}

func TestABacklogShowsNothingOfClocks(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(200)
		elapse(time.Hour)
		x := w.join("one", done)
		w.awaitHandled(200, 10*time.Second)
		w.fill(1)
		elapse(time.Second)
		if got := x.ClockSkew(); got != 0 {
			t.Errorf("ahead by %v, while there is one clock", got)
		}
	})
}
