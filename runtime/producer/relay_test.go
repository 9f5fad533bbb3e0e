// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sender "github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

func TestOutboxOnSQLite(t *testing.T) {
	outboxContract(t, func(t *testing.T) (*sql.DB, *Outbox) { return database(t, filepath.Join(t.TempDir(), "shop.db")) })
}

// outboxContract is what every database must give. open makes an empty outbox.
func outboxContract(t *testing.T, open func(t *testing.T) (*sql.DB, *Outbox)) {
	for name, test := range map[string]func(*testing.T, *sql.DB, *Outbox){
		"relays beside each other keep each key's order":          relaysBesideEachOther,
		"a row of another relay holds its key up no longer":       relaysSharingKeys,
		"rows that another relay has taken since are its own":     rowsTakenByAnother,
		"rows that are not to be sent are given back in any case": rowsNotToBeSent,
		"many keys that cannot be sent hold up no other":          manyKeysAway,
		"what can never be sent is marked and holds up none":      poisonRows,
		"a key that cannot be sent holds up no other":             keyThatIsAway,
		"rows of a relay that died are taken when its claim ends": deadRelay,
		"a pass reads a bounded number of bytes":                  boundedBytes,
	} {
		t.Run(name, func(t *testing.T) {
			db, box := open(t)
			test(t, db, box)
		})
	}
}

// pickyBroker stores what refuse does not refuse.
type pickyBroker struct {
	refuse func(Message) error
	pause  func()

	mu     sync.Mutex
	stored []Message
}

func (b *pickyBroker) Send(_ context.Context, msg Message) (Receipt, error) {
	if b.pause != nil {
		b.pause()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		if err := b.refuse(msg); err != nil {
			return Receipt{}, err
		}
	}
	b.stored = append(b.stored, msg)
	return Receipt{ID: msg.ID}, nil
}

func (b *pickyBroker) ids() (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.stored {
		ids = append(ids, m.ID)
	}
	return ids
}

func of(key string, n int) Message {
	return Message{ID: fmt.Sprintf("%s-%03d", key, n), OrderKey: key, Body: []byte("x")}
}

// drain runs relays until the table is empty.
func drain(t *testing.T, box *Outbox, sender Sender, relays int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range relays {
		cfg := quiet(box, sender)
		cfg.Poll = time.Millisecond
		relay := NewRelay(cfg)
		relay.postpone = 5 * time.Millisecond
		running.Go(func() { relay.Run(ctx) })
	}
	defer running.Wait()
	defer stop()
	within(t, 2*time.Minute, "the outbox is empty", func() bool { return waiting(t, box) == 0 })
}

func relaysBesideEachOther(t *testing.T, db *sql.DB, box *Outbox) {
	const keys, each = 12, 25
	var all []string
	for n := range each {
		for k := range keys {
			msg := of(fmt.Sprint("key", k), n)
			if k == 0 {
				msg.OrderKey = ""
			}
			add(t, db, box, msg, true)
			all = append(all, msg.ID)
		}
	}
	broker := &pickyBroker{
		pause: func() { time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) },
		refuse: func(Message) error {
			if rand.IntN(10) == 0 {
				return errors.New("busy")
			}
			return nil
		},
	}
	drain(t, box, broker, 3)
	next := map[string]int{}
	for _, m := range broker.stored {
		if m.OrderKey == "" {
			continue
		}
		if want := of(m.OrderKey, next[m.OrderKey]).ID; m.ID != want {
			t.Fatalf("%s was sent where %s was due", m.ID, want)
		}
		next[m.OrderKey]++
	}
	// Nothing was sent twice either: each row was one relay's.
	got := broker.ids()
	slices.Sort(got)
	slices.Sort(all)
	if !slices.Equal(got, all) {
		t.Errorf("%d messages sent, want each of %d once", len(got), len(all))
	}
}

func poisonRows(t *testing.T, db *sql.DB, box *Outbox) {
	for n := range 4 {
		add(t, db, box, of("k", n), true)
	}
	if _, err := db.ExecContext(t.Context(), box.sql.bind("UPDATE "+box.sql.table+" SET message = ? WHERE message_id = ?"), []byte("canary"), of("k", 2).ID); err != nil {
		t.Fatal(err)
	}
	limit := errors.New("the broker takes less since yesterday")
	tooLarge := true
	broker := &pickyBroker{refuse: func(m Message) error {
		if tooLarge && m.ID == of("k", 1).ID {
			return &SendError{Fate: sender.Refused, Code: 13, Err: limit}
		}
		return nil
	}}
	drain(t, box, broker, 1)
	if want := []string{of("k", 0).ID, of("k", 3).ID}; !slices.Equal(broker.ids(), want) {
		t.Errorf("sent %v, want %v", broker.ids(), want)
	}
	failed, err := box.Failed(t.Context())
	if err != nil || len(failed) != 2 || failed[0].ID != of("k", 1).ID || !strings.Contains(failed[0].Reason, limit.Error()) ||
		failed[1].ID != of("k", 2).ID || !strings.Contains(failed[1].Reason, "the row holds no message") || strings.Contains(failed[1].Reason, "canary") {
		t.Errorf("failed %v, %v; want both with their reasons", failed, err)
	}
	broker.mu.Lock()
	tooLarge = false
	broker.mu.Unlock()
	if err := box.Retry(t.Context(), of("k", 1).ID); err != nil {
		t.Fatal(err)
	}
	drain(t, box, broker, 1)
	if got := broker.ids(); got[len(got)-1] != of("k", 1).ID {
		t.Errorf("sent %v, want the one that was to be tried again", got)
	}
}

func keyThatIsAway(t *testing.T, db *sql.DB, box *Outbox) {
	for n := range relayBatch + 20 {
		add(t, db, box, of("away", n), true)
	}
	for n := range 5 {
		add(t, db, box, of("here", n), true)
	}
	away := true
	broker := &pickyBroker{refuse: func(m Message) error {
		if away && m.OrderKey == "away" {
			return &SendError{Fate: sender.Unsent, Err: sender.ErrQueueAway}
		}
		return nil
	}}
	relay := NewRelay(quiet(box, broker))
	relay.postpone = time.Hour
	for more := true; more; {
		var err error
		if more, err = passes(t.Context(), relay); err != nil {
			t.Fatal(err)
		}
	}
	if len(broker.stored) != 5 {
		t.Fatalf("sent %v while the broker of one key was away, want the other key's", broker.ids())
	}
	away = false
	if _, err := db.ExecContext(t.Context(), "UPDATE "+box.sql.table+" SET claimed_until_ms = 1 WHERE claimed_until_ms > 1"); err != nil { // as if time had passed
		t.Fatal(err)
	}
	drain(t, box, broker, 1)
	if got := broker.ids()[5:]; !slices.IsSorted(got) || len(got) != relayBatch+20 {
		t.Errorf("sent %v afterwards, want all in their order", got)
	}
}

func deadRelay(t *testing.T, db *sql.DB, box *Outbox) {
	add(t, db, box, of("k", 0), true)
	add(t, db, box, of("k", 1), true)
	claim := func(name string, until time.Time, limit int) {
		t.Helper()
		now := time.Now()
		if _, err := box.claim(t.Context(), name, fresh(), now, until, limit); err != nil {
			t.Fatal(err)
		}
	}
	// It holds the first row only: the second one must wait for it.
	claim("dead", time.Now().Add(time.Hour), 1)
	broker := &pickyBroker{}
	relay := NewRelay(quiet(box, broker))
	relay.postpone = 0
	if _, err := passes(t.Context(), relay); err != nil || len(broker.stored) != 0 {
		t.Fatalf("sent %v, %v; want nothing before the row that another relay holds", broker.ids(), err)
	}
	if _, err := db.ExecContext(t.Context(), box.sql.bind("UPDATE "+box.sql.table+" SET claimed_until_ms = ? WHERE claim = 'dead'"), time.Now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	if _, err := passes(t.Context(), relay); err != nil || !slices.Equal(broker.ids(), []string{of("k", 0).ID, of("k", 1).ID}) {
		t.Errorf("sent %v, %v; want both, when the claim has ended", broker.ids(), err)
	}
}

func boundedBytes(t *testing.T, db *sql.DB, box *Outbox) {
	for n := range 4 {
		msg := of("", n)
		msg.Body = make([]byte, 1<<20)
		add(t, db, box, msg, true)
	}
	now := time.Now()
	ids, err := box.claim(t.Context(), "me", fresh(), now, now.Add(time.Hour), relayBatch)
	if err != nil {
		t.Fatal(err)
	}
	rows, whole, err := box.claimed(t.Context(), "me", ids, 2<<20)
	if err != nil || len(rows) != 2 || whole {
		t.Errorf("%d rows read, whole %v, %v; want two of four", len(rows), whole, err)
	}
}
