// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
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
	t.Run("filters by properties", func(t *testing.T) { filterByProperties(t, onBroker(t, cluster.NameServer(), 2)) })
	t.Run("has deleted what was not read", func(t *testing.T) {
		w := onBroker(t, cluster.NameServer(), 2)
		w.fillBodies(unread, 8<<10)
		w.must(cluster.StopBroker(w.ctx(), rocketmq.DefaultBroker))
		deleteOldest(t, filepath.Join(dir, rocketmq.DefaultBroker, "store", "commitlog"), 4)
		w.must(cluster.StartBroker(w.ctx(), rocketmq.DefaultBroker))
		deletedUnread(t, w)
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

// filterByProperties: what does not match never comes, is passed over, and what matches is retried like any other.
func filterByProperties(t *testing.T, w *world) {
	const n = 100
	for i := range n {
		w.sendTo(w.queues[i%2], mq.Field{Name: "amount", Value: strconv.Itoa(i)}, mq.Field{Name: mq.PropertyTags, Value: "paid"})
	}
	w.sendTo(w.queues[0]) // has no amount
	w.join("one", func(_ context.Context, m *mq.Message) outcome.Outcome {
		if m.Property("amount") == "99" && m.Reconsumed == 0 {
			return outcome.RetryLater(time.Second, "Once", "")
		}
		return outcome.Succeed()
	}, func(cfg *Config) {
		cfg.ExpressionType, cfg.Expression = mq.TypeSQL92, "amount >= 90 AND TAGS IS NOT NULL"
	})
	w.eventually("everything to be passed over or handled, and one message twice", 20*time.Second, func() bool {
		return w.committed() == n+1 && w.ledger.tally().starts == 11
	})
	for _, e := range w.ledger.all() {
		if body, _ := strconv.Atoi(e.body); body < 90 {
			t.Errorf("message %d came, which does not match", body)
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
