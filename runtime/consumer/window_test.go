// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestACommitThatFreesNothingDoesNotSpin(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		x := w.join("one", done, func(cfg *Config) { cfg.MaxUncommitted = batchSize })
		w.fill(batchSize)
		w.awaitHandled(batchSize, 10*time.Second)
		d := x.dispatch
		d.mu.Lock()
		q := d.queues[w.queues[0]]
		q.window.first = 0 // as if what was committed stayed in the window, by a mistake of ours
		q.wake()
		d.mu.Unlock()
		elapse(time.Minute) // which never ends while a goroutine spins
		w.must(x.Stuck())
	})
}

// windowModel is the window as one would write it without a thought for speed.
type windowModel struct {
	offsets   []int64 // fetched, not committed
	replies   [][]int64
	done      map[int64]bool
	inFlight  []int64
	next      int64
	committed int64
}

func (m *windowModel) position() int64 {
	for _, offset := range m.offsets {
		if !m.done[offset] {
			return offset
		}
	}
	return m.next
}

// replyBytes is what replies of 1000 bytes hold.
func (m *windowModel) replyBytes() int {
	n := 0
	for _, reply := range m.replies {
		if slices.ContainsFunc(reply, func(offset int64) bool { return !m.done[offset] }) {
			n += 1000
		}
	}
	return n
}

func TestTheWindowCommitsTheLowestUnfinishedOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 40).Draw(t, "size")
		first := rapid.Int64Range(0, 1000).Draw(t, "committed")
		w := newWindow(size, first)
		m := windowModel{done: map[int64]bool{}, next: first, committed: first}
		running := map[int64]uint64{}
		t.Repeat(map[string]func(*rapid.T){
			"fetch": func(t *rapid.T) {
				if w.room() == 0 {
					t.Skip("full")
				}
				var messages []rocketmq.Message
				var offsets []int64
				for range rapid.IntRange(1, w.room()).Draw(t, "messages") {
					offset := m.next + rapid.Int64Range(0, 3).Draw(t, "filtered")
					messages = append(messages, rocketmq.Message{Offset: offset})
					offsets = append(offsets, offset)
					m.next = offset + 1
				}
				w.append(messages, nil, 1000)
				w.next = m.next
				m.offsets = append(m.offsets, offsets...)
				m.replies = append(m.replies, offsets)
			},
			"begin": func(t *rapid.T) {
				if w.waiting == 0 {
					t.Skip("nothing waits")
				}
				seq := w.lowest(0)
				got := w.begin(seq)
				i := slices.IndexFunc(m.offsets, func(o int64) bool { return !m.done[o] && !slices.Contains(m.inFlight, o) })
				if got.Offset != m.offsets[i] {
					t.Fatalf("began offset %d, want the lowest waiting, %d", got.Offset, m.offsets[i])
				}
				m.inFlight = append(m.inFlight, got.Offset)
				running[got.Offset] = seq
			},
			"finish": func(t *rapid.T) {
				if len(m.inFlight) == 0 {
					t.Skip("nothing runs")
				}
				i := rapid.IntRange(0, len(m.inFlight)-1).Draw(t, "which")
				offset := m.inFlight[i]
				before := m.replyBytes()
				freed := w.finish(running[offset])
				m.done[offset] = true
				if want := before - m.replyBytes(); freed != want {
					t.Fatalf("finishing %d set %d bytes free, want %d", offset, freed, want)
				}
				m.inFlight = slices.Delete(m.inFlight, i, i+1)
			},
			"hold": func(t *rapid.T) {
				if len(m.inFlight) == 0 {
					t.Skip("nothing runs")
				}
				i := rapid.IntRange(0, len(m.inFlight)-1).Draw(t, "which")
				w.hold(running[m.inFlight[i]])
				m.inFlight = slices.Delete(m.inFlight, i, i+1)
			},
			"commit": func(*rapid.T) {
				m.committed = m.position()
				w.commit(w.position())
				m.offsets = slices.DeleteFunc(m.offsets, func(o int64) bool { return o < m.committed })
			},
			"": func(t *rapid.T) {
				if got, want := w.position(), m.position(); got != want {
					t.Fatalf("position %d, want %d", got, want)
				}
				if got, want := w.uncommitted(), len(m.offsets); got != want || got > size {
					t.Fatalf("%d uncommitted, want %d, at most %d", got, want, size)
				}
				unfinished := len(m.offsets) - len(m.inFlight)
				for _, offset := range m.offsets {
					if m.done[offset] {
						unfinished--
					}
				}
				if want := m.replyBytes(); w.bytes != want {
					t.Fatalf("%d bytes are held, want %d", w.bytes, want)
				}
				if w.waiting != unfinished {
					t.Fatalf("%d wait, want %d", w.waiting, unfinished)
				}
			},
		})
	})
}
