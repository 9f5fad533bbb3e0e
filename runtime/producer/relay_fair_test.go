// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	sender "github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

// relaysSharingKeys has another relay hold a row: those behind it, of its key, are to be sent as soon as it is gone.
func relaysSharingKeys(t *testing.T, db *sql.DB, box *Outbox) {
	for n := range 3 {
		add(t, db, box, of("shared", n), true)
	}
	now := time.Now()
	if _, err := box.claim(t.Context(), "other", fresh(), now, now.Add(time.Hour), 1); err != nil {
		t.Fatal(err)
	}
	broker := &pickyBroker{}
	relay := NewRelay(quiet(box, broker))
	for range 2 {
		if _, err := passes(t.Context(), relay); err != nil || len(broker.stored) != 0 {
			t.Fatalf("sent %v, %v; want nothing before the row that another relay holds", broker.ids(), err)
		}
	}
	// What waits is nobody's, so that the other relay can have it too.
	var waits int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+box.sql.table+" WHERE claim IS NULL AND claimed_until_ms = 0").Scan(&waits); err != nil || waits != 2 {
		t.Errorf("%d rows can be claimed, %v; want both that wait", waits, err)
	}
	if _, err := db.ExecContext(t.Context(), "DELETE FROM "+box.sql.table+" WHERE claim = 'other'"); err != nil { // as it was sent
		t.Fatal(err)
	}
	if _, err := passes(t.Context(), relay); err != nil || !slices.Equal(broker.ids(), []string{of("shared", 1).ID, of("shared", 2).ID}) {
		t.Errorf("sent %v, %v; want both at once", broker.ids(), err)
	}
}

// manyKeysAway has a broker away to which many order keys belong, all older than what can be sent.
func manyKeysAway(t *testing.T, db *sql.DB, box *Outbox) {
	const away, here = relayBatch + 2*maxFailures, 5
	for n := range away {
		add(t, db, box, of(fmt.Sprintf("away%03d", n), 0), true)
	}
	for n := range here {
		add(t, db, box, of("here", n), true)
	}
	gone := true
	broker := &pickyBroker{refuse: func(m Message) error {
		if gone && m.OrderKey != "here" {
			return &SendError{Fate: sender.Unsent, Err: sender.ErrQueueAway}
		}
		return nil
	}}
	relay := NewRelay(quiet(box, broker))
	relay.postpone = time.Hour
	const enough = away/maxFailures + 2
	for range enough {
		if _, err := passes(t.Context(), relay); err != nil && !errors.Is(err, sender.ErrQueueAway) {
			t.Fatal(err)
		}
	}
	if got := broker.ids(); !slices.IsSorted(got) || len(got) != here {
		t.Fatalf("sent %v in %d passes while the broker of the others was away; want what could be sent", got, enough)
	}
	broker.mu.Lock()
	gone = false
	broker.mu.Unlock()
	if _, err := db.ExecContext(t.Context(), "UPDATE "+box.sql.table+" SET claimed_until_ms = 1 WHERE claimed_until_ms > 1"); err != nil { // as if time had passed
		t.Fatal(err)
	}
	drain(t, box, broker, 1)
	if got := broker.ids(); len(got) != here+away {
		t.Errorf("%d sent afterwards, want all %d", len(got), here+away)
	}
}

// rowsNotToBeSent has a relay end while it gives back rows that it does not send: they are given back nevertheless.
func rowsNotToBeSent(t *testing.T, db *sql.DB, box *Outbox) {
	const rows = 4
	for n := range rows {
		add(t, db, box, of("key", n), true)
	}
	begin := time.Now().Add(time.Second) // when all rows are old enough
	b := &batch{relay: NewRelay(quiet(box, &pickyBroker{})), name: "mine"}
	var err error
	if b.ids, err = box.claim(t.Context(), b.name, fresh(), begin, begin.Add(time.Hour), rows); err != nil || len(b.ids) != rows {
		t.Fatalf("claimed %v of %d rows, %v", b.ids, rows, err)
	}
	mine, _, err := box.claimed(t.Context(), b.name, b.ids, relayBytes)
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := b.keepOnly(ended, mine[:1]); !errors.Is(err, context.Canceled) {
		t.Fatalf("rows were given back in a context that has ended: %v", err)
	}
	if err := b.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	others, err := box.claim(t.Context(), "another", fresh(), begin, begin.Add(time.Hour), rows)
	if err != nil || len(others) != rows {
		t.Errorf("another relay could claim %v of %d rows, %v", others, rows, err)
	}
}

// rowsTakenByAnother has a claim end under a relay that is late: whoever claimed its rows since keeps them as they are.
func rowsTakenByAnother(t *testing.T, db *sql.DB, box *Outbox) {
	for name, err := range map[string]error{
		"not-sent":         errors.New("busy"),
		"never-to-be-sent": &SendError{Fate: sender.Refused, Code: 13, Err: errors.New("too large")},
	} {
		msg := of(name, 0)
		add(t, db, box, msg, true)
		until := time.Now().Add(time.Hour).UnixMilli()
		broker := &pickyBroker{refuse: func(Message) error {
			_, taken := db.ExecContext(t.Context(), box.sql.bind("UPDATE "+box.sql.table+" SET claim = 'another', claimed_until_ms = ? WHERE message_id = ?"), until, msg.ID)
			return errors.Join(err, taken)
		}}
		if _, passErr := passes(t.Context(), NewRelay(quiet(box, broker))); passErr != nil && !errors.Is(passErr, err) {
			t.Fatal(passErr)
		}
		var claim, failure sql.NullString
		var claimedUntil int64
		row := db.QueryRowContext(t.Context(), box.sql.bind("SELECT claim, claimed_until_ms, failure FROM "+box.sql.table+" WHERE message_id = ?"), msg.ID)
		if err := row.Scan(&claim, &claimedUntil, &failure); err != nil || claim.String != "another" || claimedUntil != until || failure.Valid {
			t.Errorf("a row that was %s is claimed by %v until %d, failure %v, %v; want it left to another", name, claim, claimedUntil, failure, err)
		}
	}
}
