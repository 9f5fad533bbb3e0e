// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// DefaultTable is the outbox's table unless the user names one.
const DefaultTable = "orderflow_outbox"

// maxName is how long an ID and an order key may be in the table, in characters.
const maxName = 255

// Outbox is a table in the user's own database. A row is a message that its transaction promised to send.
type Outbox struct {
	db  *sql.DB
	sql statements
}

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// NewOutbox makes an outbox on a table of db; an empty table name is DefaultTable.
func NewOutbox(db *sql.DB, dialect Dialect, table string) (*Outbox, error) {
	if table == "" {
		table = DefaultTable
	}
	if !tableName.MatchString(table) {
		return nil, fmt.Errorf("outbox table %q is not a plain SQL name", table)
	}
	if _, err := dialect.types(); err != nil {
		return nil, err
	}
	return &Outbox{db: db, sql: statements{dialect: dialect, table: table}}, nil
}

// Schema is the SQL that creates the table, for a migration. It does nothing where the table is there, but in Oracle.
func (o *Outbox) Schema() []string { return o.sql.schema() }

// CreateTable makes the table when it is missing.
func (o *Outbox) CreateTable(ctx context.Context) error {
	for _, statement := range o.Schema() {
		if _, err := o.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create outbox table: %w", err)
		}
	}
	return nil
}

// Add writes a row in the caller's transaction, with the trace context of ctx. A message without an ID is refused: it may be
// sent more than once, and consumers must be able to tell. A message that can never be sent is refused too.
func (o *Outbox) Add(ctx context.Context, tx *sql.Tx, msg Message) error {
	if msg.ID == "" {
		return errors.New("outbox: the message has no ID; set it from Producer.NewID")
	}
	if len(msg.ID) > maxName || len(msg.OrderKey) > maxName {
		return fmt.Errorf("outbox: the message's ID or order key is longer than %d bytes", maxName)
	}
	msg = carrying(ctx, msg)
	if err := msg.Validate(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	encoded, err := json.Marshal(msg)
	if err != nil {
		return fmt.Errorf("outbox: encode message: %w", err)
	}
	key := sql.NullString{String: msg.OrderKey, Valid: msg.OrderKey != ""}
	if _, err := tx.ExecContext(ctx, o.sql.insert(), msg.ID, key, time.Now().UnixMilli(), encoded); err != nil {
		return fmt.Errorf("outbox: write row: %w", err)
	}
	return nil
}

// Waiting counts the rows not yet confirmed; those that failed for good are not among them.
func (o *Outbox) Waiting(ctx context.Context) (int, error) {
	var n int
	if err := o.db.QueryRowContext(ctx, o.sql.count()).Scan(&n); err != nil {
		return 0, fmt.Errorf("outbox: count rows: %w", err)
	}
	return n, nil
}

// Failure is a row that can never be sent as it is.
type Failure struct {
	// ID is the message's.
	ID     string
	Reason string
}

// Failed lists the oldest rows that failed for good, at most 100. They stay until Retry, or until the user deletes them.
func (o *Outbox) Failed(ctx context.Context) (found []Failure, err error) {
	rows, err := o.db.QueryContext(ctx, o.sql.failed(relayBatch))
	if err != nil {
		return nil, fmt.Errorf("outbox: read failures: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var f Failure
		if err := rows.Scan(&f.ID, &f.Reason); err != nil {
			return nil, fmt.Errorf("outbox: read failure: %w", err)
		}
		found = append(found, f)
	}
	return found, rows.Err()
}

// Retry lets the relay try a failed row again, as after the broker's limit was raised.
func (o *Outbox) Retry(ctx context.Context, messageID string) error {
	if _, err := o.db.ExecContext(ctx, o.sql.retry(), messageID); err != nil {
		return fmt.Errorf("outbox: retry row: %w", err)
	}
	return nil
}

type outboxRow struct {
	id  int64
	key string // "" without an order key
	msg Message
	err error // why it cannot be read
}

// claim takes up to limit rows, written before a time, for the holder of the name until a time. It answers how many there were
// to be had.
func (o *Outbox) claim(ctx context.Context, name string, before, now, until time.Time, limit int) (n int, err error) {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("outbox: claim rows: %w", err)
	}
	ids, err := candidates(ctx, tx, o.sql.candidates(limit), before.UnixMilli(), now.UnixMilli())
	if err == nil && len(ids) > 0 {
		args := append([]any{name, until.UnixMilli()}, ids...)
		_, err = tx.ExecContext(ctx, o.sql.claim(len(ids)), append(args, now.UnixMilli())...)
	}
	if err != nil {
		return 0, fmt.Errorf("outbox: claim rows: %w", errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("outbox: claim rows: %w", err)
	}
	return len(ids), nil
}

func candidates(ctx context.Context, tx *sql.Tx, query string, args ...any) (ids []any, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// claimed reads the rows of a claim that may be sent now, in their order, and stops after maxBytes.
func (o *Outbox) claimed(ctx context.Context, name string, maxBytes int) (found []outboxRow, whole bool, err error) {
	rows, err := o.db.QueryContext(ctx, o.sql.claimed(), name, name)
	if err != nil {
		return nil, false, fmt.Errorf("outbox: read rows: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for size := 0; rows.Next(); {
		if size > maxBytes {
			return found, false, nil
		}
		var row outboxRow
		var key sql.NullString
		var encoded []byte
		if err := rows.Scan(&row.id, &key, &encoded); err != nil {
			return nil, false, fmt.Errorf("outbox: read row: %w", err)
		}
		row.key = key.String
		if json.Unmarshal(encoded, &row.msg) != nil {
			row.err = errors.New("the row holds no message") // not the decoder's words, which show what it holds
		}
		size += len(encoded)
		found = append(found, row)
	}
	return found, true, rows.Err()
}

// release gives the rest of a claim back, for others to take from a time on.
func (o *Outbox) release(ctx context.Context, name string, until time.Time) error {
	if _, err := o.db.ExecContext(ctx, o.sql.release(), until.UnixMilli(), name); err != nil {
		return fmt.Errorf("outbox: release rows: %w", err)
	}
	return nil
}

// fail marks a row that can never be sent.
func (o *Outbox) fail(ctx context.Context, id int64, reason string) error {
	const maxReason = 1000
	if runes := []rune(reason); len(runes) > maxReason {
		reason = string(runes[:maxReason])
	}
	if _, err := o.db.ExecContext(ctx, o.sql.fail(), reason, id); err != nil {
		return fmt.Errorf("outbox: mark failed row: %w", err)
	}
	return nil
}

// forBatches executes a statement on ids, a batch at a time, after its other arguments, and answers those it was not done for.
func forBatches[ID int64 | string](ctx context.Context, db *sql.DB, statement func(int) string, ids []ID, others ...any) ([]ID, error) {
	for len(ids) > 0 {
		batch := ids[:min(len(ids), relayBatch)]
		args := slices.Clone(others)
		for _, id := range batch {
			args = append(args, id)
		}
		if _, err := db.ExecContext(ctx, statement(len(batch)), args...); err != nil {
			return ids, fmt.Errorf("outbox: change rows: %w", err)
		}
		ids = ids[len(batch):]
	}
	return nil, nil
}
