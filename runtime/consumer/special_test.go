// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	mq "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// A broker that filters by properties and stores messages in files of 1 MiB.
func TestABrokerWithSettingsOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cluster := broker.Own(t, rocketmq.Options{Dir: dir, EnablePropertyFilter: true, Properties: map[string]string{"mappedFileSizeCommitLog": strconv.Itoa(1 << 20)}})
	t.Run("filters", func(t *testing.T) {
		for kind, expression := range map[mq.ExpressionType]string{mq.TypeSQL92: "amount >= 90 AND TAGS IS NOT NULL", mq.TypeTag: "high || none"} {
			selecting := func(cfg *Config) { cfg.ExpressionType, cfg.Expression = kind, expression }
			for _, way := range everyWay() {
				t.Run(string(kind)+" "+way.name, func(t *testing.T) {
					t.Parallel()
					way.in(filtered(selecting))(t, onBroker(t, cluster.NameServer(), 2))
				})
			}
			t.Run(string(kind)+" Broadcasting", func(t *testing.T) {
				t.Parallel()
				w := onBroker(t, cluster.NameServer(), 2)
				w.sendAmounts()
				w.awaitShown()
				x := w.join("one", done, broadcasting, selecting)
				w.eventually("it to begin", 20*time.Second, func() bool { return w.begun(x) })
				w.sendAmounts()
				w.eventually("what matches", 20*time.Second, func() bool { return w.ledger.by(x) == matching })
			})
		}
	})
	t.Run("has deleted what was not read", func(t *testing.T) {
		w := onBroker(t, cluster.NameServer(), 2)
		w.fillBodies(unread, 8<<10)
		mark := w.retryQueue(w.onlyBroker())
		mark.ID = firstMark
		w.must(w.client.CommitOffset(w.ctx(), w.masters[mark.Broker], w.group, mark, math.MaxInt64))
		w.must(cluster.StopBroker(w.ctx(), rocketmq.DefaultBroker))
		deleteOldest(t, filepath.Join(dir, rocketmq.DefaultBroker, "store", "commitlog"), 4)
		w.must(cluster.StartBroker(w.ctx(), rocketmq.DefaultBroker))
		deletedUnread(t, w)
		if kept, err := w.client.QueryOffset(w.ctx(), w.masters[mark.Broker], w.group, mark); kept != math.MaxInt64 || err != nil {
			t.Errorf("of a mark there is %d, %v", kept, err)
		}
	})
}

// unread is how many messages of 8 KiB are stored, a batch of 64 in each file, and deleted how many of them, at least, the four oldest files hold.
const unread, deleted = 768, 192

// deleteOldest does what a broker does with files beyond its retention; it would look for them a minute after its start.
func deleteOldest(t *testing.T, dir string, n int) {
	files, err := os.ReadDir(dir) // sorted by name, which is the position of their first byte
	if err != nil || len(files) < 2*n {
		t.Fatalf("%d files of messages, %v; want at least %d", len(files), err, 2*n)
	}
	for _, f := range files[:n] {
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

// matching is how many of the messages match that sendAmounts sends, the last of 100.
const matching = 10

// sendAmounts sends 100 messages with amounts from 0 and tags, and one that has neither.
func (w *world) sendAmounts() {
	w.t.Helper()
	for amount := range 100 {
		tag := "low"
		if amount >= 100-matching {
			tag = "high"
		}
		w.sendTo(w.queues[amount%2], mq.Field{Name: "amount", Value: strconv.Itoa(amount)}, mq.Field{Name: mq.PropertyTags, Value: tag})
	}
	w.sendTo(w.queues[0])
}

// filtered: what does not match never comes, is passed over, and what matches is retried like any other.
func filtered(selecting func(*Config)) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		w.sendAmounts()
		w.join("one", func(_ context.Context, m *mq.Message) outcome.Outcome {
			if m.Property("amount") == "99" && m.Reconsumed == 0 {
				return outcome.RetryLater(time.Second, "Once", "")
			}
			return outcome.Succeed()
		}, selecting)
		w.eventually("everything to be passed over or handled, and one message twice", 20*time.Second, func() bool {
			return w.committed() == w.nextMessage && w.ledger.tally().starts == matching+1
		})
		for _, e := range w.ledger.all() {
			if amount, _ := strconv.Atoi(e.body); amount < 100-matching || amount > 99 {
				t.Errorf("message %d came, which does not match", amount)
			}
		}
	}
}

// deletedUnread: what a broker deleted before it was read is counted, and nothing else is missing.
func deletedUnread(t *testing.T, w *world) {
	const n = unread
	o := &noting{}
	x := w.join("one", done, o.observe)
	w.eventually("what is left to be handled", 20*time.Second, func() bool { return w.committed() == n })
	x.leave()
	lost := o.count("MessagesLost")
	if got := w.ledger.tally(); lost < deleted || got.unique+lost != n || x.Jumps().Lost != int64(lost) {
		t.Errorf("told of %v, handled %+v of %d; want at least %d lost, and all others handled", o.counts, got, n, deleted)
	}
}
