// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite" // The database driver.
	"pgregory.net/rapid"
)

// database opens a file that outlives a restart of the shop.
func database(t testing.TB, path string) (*sql.DB, *Outbox) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	box, err := NewOutbox(db, SQLite, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := box.CreateTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, box
}

func numbered(n int) Message {
	return Message{ID: fmt.Sprintf("ID-%04d", n), OrderKey: "order", Keys: []string{"k"}, Tag: "t", Properties: map[string]string{"a": "b"}, Body: []byte{1}}
}

// add writes one row in a transaction of its own.
func add(t testing.TB, db *sql.DB, box *Outbox, msg Message, commit bool) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = box.Add(t.Context(), tx, msg)
	if err == nil && commit {
		err = tx.Commit()
	} else {
		err = errors.Join(err, tx.Rollback())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func waiting(t testing.TB, box *Outbox) int {
	t.Helper()
	n, err := box.Waiting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// brokerFake stores messages while it is up. fate decides, for each send, whether it is stored and whether the sender is
// told: the four ways in which a real send can end.
type brokerFake struct {
	mu     sync.Mutex
	fate   func() (stored, told bool)
	stored []string
	sends  int
}

func (b *brokerFake) Send(ctx context.Context, msg Message) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sends++
	stored, told := b.fate()
	if stored {
		b.stored = append(b.stored, msg.ID)
	}
	if !told {
		return Receipt{}, errors.New("no answer")
	}
	return Receipt{ID: msg.ID}, nil
}

func up() (stored, told bool)   { return true, true }
func down() (stored, told bool) { return false, false }

func quiet(box *Outbox, sender Sender) RelayConfig {
	return RelayConfig{Outbox: box, Sender: sender, Logger: slog.New(slog.DiscardHandler)}
}

// passes lets the relay look once at what failed, which may free what is behind it, and once at what is new.
func passes(ctx context.Context, relay *Relay) (more bool, err error) {
	hadAgain, errAgain := relay.passAgain(ctx)
	had, err := relay.passFresh(ctx)
	return max(had, hadAgain) == some, errors.Join(err, errAgain)
}

func TestRowIsThereExactlyWhenItsTransactionCommitted(t *testing.T) {
	db, box := database(t, filepath.Join(t.TempDir(), "shop.db"))
	add(t, db, box, numbered(1), true)
	add(t, db, box, numbered(2), false)
	now := time.Now()
	ids, err := box.claim(t.Context(), "me", fresh(), now, now.Add(time.Hour), 10)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := box.claimed(t.Context(), "me", ids, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || fmt.Sprint(rows[0].msg) != fmt.Sprint(numbered(1)) {
		t.Errorf("rows %+v, want message 1 alone and whole", rows)
	}
}

func TestOutboxRefusesWhatTheRelayCouldNotSend(t *testing.T) {
	db, box := database(t, filepath.Join(t.TempDir(), "shop.db"))
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	for want, msg := range map[string]Message{"no ID": {Body: []byte("x")}, "body is empty": {ID: "1"}, "longer than 255": {ID: "1", OrderKey: strings.Repeat("k", 256), Body: []byte("x")}} {
		if err := box.Add(t.Context(), tx, msg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Add: %v, want an error with %q", err, want)
		}
	}
	if _, err := NewOutbox(db, "DB2", ""); err == nil || !strings.Contains(err.Error(), "want SQLite, MySQL, PostgreSQL") {
		t.Errorf("NewOutbox: %v, want the dialects that are known", err)
	}
	if _, err := NewOutbox(db, SQLite, "orders; DROP TABLE orders"); err == nil {
		t.Error("NewOutbox takes a table name that is more than a name")
	}
}

func TestRelayKeepsOrderThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, box := database(t, filepath.Join(t.TempDir(), "shop.db"))
		var want []string
		for n := range 2*relayBatch + 10 {
			add(t, db, box, numbered(n), true)
			want = append(want, numbered(n).ID)
		}
		fake := &brokerFake{fate: down}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { NewRelay(quiet(box, fake)).Run(ctx) })
		time.Sleep(2 * time.Minute)
		fake.mu.Lock()
		if fake.sends < 10 || fake.sends > 60 {
			t.Errorf("%d attempts in 2 minutes without a broker, want pauses of seconds", fake.sends)
		}
		fake.fate = up
		fake.mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		running.Wait()
		if !slices.Equal(fake.stored, want) {
			t.Errorf("%d messages stored, want %d in their order", len(fake.stored), len(want))
		}
		if n := waiting(t, box); n != 0 {
			t.Errorf("%d rows left, want none", n)
		}
	})
}

func TestRelayLeavesYoungRowsToTheShop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, box := database(t, filepath.Join(t.TempDir(), "shop.db"))
		fake := &brokerFake{fate: up}
		cfg := quiet(box, fake)
		cfg.Grace = 5 * time.Second
		relay := NewRelay(cfg)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { relay.Run(ctx) })
		add(t, db, box, numbered(1), true)
		add(t, db, box, numbered(2), true)
		relay.Sent(numbered(1).ID)
		time.Sleep(4 * time.Second)
		if fake.sends != 0 || waiting(t, box) != 1 {
			t.Errorf("within the grace: %d sends and %d rows, want 0 and the unconfirmed one", fake.sends, waiting(t, box))
		}
		time.Sleep(2 * time.Second)
		stop()
		running.Wait()
		if !slices.Equal(fake.stored, []string{"ID-0002"}) || waiting(t, box) != 0 {
			t.Errorf("after the grace: stored %v and %d rows left, want the unconfirmed one alone", fake.stored, waiting(t, box))
		}
	})
}

// TestEveryCommittedRowIsSentAtLeastOnce lets sends end in any of the four ways and the process end at any pass, and
// expects each message at least once, and no message that was confirmed and removed again.
func TestEveryCommittedRowIsSentAtLeastOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(t.TempDir(), "shop.db")
		db, box := database(t, path)
		n := rapid.IntRange(1, 20).Draw(rt, "messages")
		for i := range n {
			add(t, db, box, numbered(i), true)
		}
		fake := &brokerFake{fate: func() (bool, bool) {
			stored := rapid.Bool().Draw(rt, "stored")
			return stored, stored && rapid.Bool().Draw(rt, "told")
		}}
		for range rapid.IntRange(0, 10).Draw(rt, "passes before the broker is well") {
			// Each pass is a new process with a new relay.
			relay := NewRelay(quiet(box, fake))
			relay.postpone = 0
			if _, err := passes(t.Context(), relay); err != nil && !strings.Contains(err.Error(), "no answer") {
				rt.Fatal(err)
			}
		}
		fake.fate = up
		if _, err := passes(t.Context(), NewRelay(quiet(box, fake))); err != nil {
			rt.Fatal(err)
		}
		if left := waiting(t, box); left != 0 {
			rt.Fatalf("%d rows left", left)
		}
		first := slices.Compact(slices.Clone(fake.stored))
		if len(first) != n || !slices.IsSorted(first) {
			rt.Fatalf("stored %v, want each of %d messages at least once and in order", fake.stored, n)
		}
	})
}
