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
