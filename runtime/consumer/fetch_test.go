// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestThePullOutcomes(t *testing.T) {
	t.Parallel()
	tagged := func(tag string) rocketmq.Field { return rocketmq.Field{Name: rocketmq.PropertyTags, Value: tag} }
	only := func(tag string) func(*Config) { return func(cfg *Config) { cfg.Expression = tag } }
	for _, tt := range []struct {
		name    string
		prepare func(w *world)
		later   func(w *world) // after the first pull was answered
		option  func(*Config)
		told    map[string]int
		handled int
		ends    int // the committed offset at the end
	}{
		{
			name:    "FOUND hands out",
			prepare: func(w *world) { w.fill(5) },
			told:    map[string]int{"FOUND": 1}, handled: 5, ends: 5,
		},
		{
			name:    "NO_NEW_MSG waits for more",
			prepare: func(*world) {},
			later:   func(w *world) { w.fill(3) },
			told:    map[string]int{"NO_NEW_MSG": 1, "FOUND": 1, "PullFailed": 0}, handled: 3, ends: 3,
		},
		{
			name: "NO_MATCHED_MSG goes on behind what does not match",
			prepare: func(w *world) {
				for range 5 {
					w.sendTo(w.queues[0], tagged("other"))
				}
			},
			option: only("wanted"), told: map[string]int{"NO_MATCHED_MSG": 1}, ends: 5,
		},
		{
			name: "OFFSET_ILLEGAL beyond the end goes back to it",
			prepare: func(w *world) {
				w.must(w.client.CommitOffset(w.ctx(), w.masters[w.onlyBroker()], w.group, w.queues[0], 1000))
			},
			told: map[string]int{"OFFSET_ILLEGAL": 1, "BeyondEnd": 1, "MessagesLost": 0},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			both(t, 1, func(t *testing.T, w *world) {
				tt.prepare(w)
				o := &noting{}
				options := []func(*Config){o.observe}
				if tt.option != nil {
					options = append(options, tt.option)
				}
				x := w.join("one", done, options...)
				w.awaitOwner(x)
				if tt.later != nil {
					w.eventually("a pull to be answered", pollWait+5*time.Second, func() bool { return o.count("NO_NEW_MSG") > 0 })
					tt.later(w)
				}
				w.eventually("what is expected", 20*time.Second, func() bool {
					for what, n := range tt.told {
						if n > 0 && o.count(what) < n {
							return false
						}
					}
					return w.committed() == tt.ends && w.ledger.tally().starts == tt.handled
				})
				for what, n := range tt.told {
					if n == 0 && o.count(what) > 0 {
						t.Errorf("told %d times of %s, want never", o.count(what), what)
					}
				}
			})
		})
	}
}

func TestMessagesDeletedBeforeTheyWereReadAreReportedAsLost(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		w.fill(100)
		w.fake.Broker().Trim(w.queues[0], 70)
		o := &noting{}
		x := w.join("one", done, o.observe)
		w.eventually("what is left to be handled", 10*time.Second, func() bool { return w.committed() == 100 })
		x.leave()
		if got := w.ledger.tally(); o.count("MessagesLost") != 70 || got.unique != 30 || o.count("BeyondEnd") != 0 {
			t.Errorf("told of %v, handled %+v; want 70 lost and 30 handled", o.counts, got)
		}
	})
}

func TestMessagesThatABrokerPassesOverAreReportedAsLost(t *testing.T) {
	for _, tt := range []struct {
		name       string
		hole       int64
		expression string
		lost       int // of 100
		handled    int
	}{
		{"the first of them", 70, "*", 70, 30},
		{"all of them", 100, "*", 100, 0},
		{"all of them, whether they would match or not", 100, "wanted", 100, 0},
		{"none: those passed over do not match", 0, "wanted", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 1, 1, func(t *testing.T, w *world) {
				w.fill(100)
				w.fake.Broker().Hole(w.queues[0], tt.hole)
				o := &noting{}
				x := w.join("one", done, o.observe, func(cfg *Config) { cfg.Expression = tt.expression })
				w.eventually("everything to be passed", 10*time.Second, func() bool { return w.committed() == 100 })
				if got := w.ledger.tally(); o.count("MessagesLost") != tt.lost || got.unique != tt.handled || x.Jumps().Lost != int64(tt.lost) {
					t.Errorf("told of %v, %+v, handled %+v; want %d lost and %d handled", o.counts, x.Jumps(), got, tt.lost, tt.handled)
				}
			})
		})
	}
}

func TestTheLastJumpsAreRemembered(t *testing.T) {
	var n jumpLog
	for i := range int64(worker.MaxJumps + 3) {
		n.note(Jump{Cause: worker.JumpDeleted, From: i, To: i + 2})
	}
	n.note(Jump{Cause: worker.JumpReset, From: 9, To: 1})
	if j := n.jumps; j.Total != worker.MaxJumps+4 || j.Lost != 2*(worker.MaxJumps+3) || len(j.Last) != worker.MaxJumps || j.Last[0].From != 4 {
		t.Errorf("%d jumps, %d lost, %d remembered from %+v", j.Total, j.Lost, len(j.Last), j.Last[0])
	}
}

func TestAnotherTagWithTheSameHashIsLeftOut(t *testing.T) {
	c := &Consumer{}
	q := &queue{subscription: rocketmq.Subscription{Topic: "T", Expression: "Aa || C"}}
	messages := []rocketmq.Message{{}, {}, {}, {Err: errors.New("unreadable")}}
	for i, tag := range []string{"Aa", "BB", "C"} { // Aa and BB have one hash
		encoded, err := rocketmq.EncodeProperties(rocketmq.Fields{{Name: rocketmq.PropertyTags, Value: tag}})
		if err != nil {
			t.Fatal(err)
		}
		messages[i].SetProperties(encoded)
	}
	var got []string
	for _, m := range c.wanted(q, messages) {
		got = append(got, m.Property(rocketmq.PropertyTags))
	}
	if want := []string{"Aa", "C", ""}; !cmp.Equal(got, want) {
		t.Errorf("tags %q are left, want %q", got, want)
	}
}

func TestAQueueWithoutACommittedOffsetIsHeldAndReported(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.group += "_unseeded"
		w.must(w.client.PutGroup(w.ctx(), w.masters["broker-a"], rocketmq.NewGroupConfig(w.group)))
		w.fill(100)
		o := &noting{}
		x := w.join("one", done, o.observe)
		elapse(time.Minute)
		if got := w.ledger.tally(); got.starts != 0 {
			t.Fatalf("%d messages were handled from offsets nobody committed", got.starts)
		}
		for _, q := range x.Snapshot().Queues {
			if !q.OffsetMissing {
				t.Errorf("the snapshot does not say that the offset of %v is missing", q.Queue)
			}
		}
		if n := o.count("OffsetMissing"); n < 5*10 {
			t.Errorf("told %d times in a minute that 5 offsets are missing", n)
		}
		w.seed(w.queues...)
		w.awaitHandled(100, missingPause+time.Second)
	})
}
