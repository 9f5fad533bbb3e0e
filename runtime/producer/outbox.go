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

// due says which rows a claim is for, by when their last one ended, in milliseconds. Fresh ones have 0, and the others wait to
// be tried again: they failed, or their relay died.
type due struct{ from, to int64 }

func fresh() due              { return due{} }
func again(now time.Time) due { return due{1, now.UnixMilli()} }

// order is that of the statement: what waits longest to be tried again comes first, so that all get their turn.
func (d due) order() string {
	if d == fresh() {
		return "o.id"
	}
	return "o.claimed_until_ms, o.id"
}

// claim takes up to limit rows, written before a time, for the holder of the name until a time. It answers those there were to be had,
// also with an error, after which they may be claimed.
func (o *Outbox) claim(ctx context.Context, name string, rows due, before, until time.Time, limit int) (ids []int64, err error) {
	tx, err := o.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("outbox: claim rows: %w", err)
	}
	ids, err = candidates(ctx, tx, o.sql.candidates(limit, rows.order()), before.UnixMilli(), rows.from, rows.to, before.UnixMilli(), rows.from, rows.to)
	if err == nil {
		_, err = forBatches(ctx, tx, o.sql.claim, ids, name, until.UnixMilli(), rows.from, rows.to)
	}
	if err != nil {
		return nil, fmt.Errorf("outbox: claim rows: %w", errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return ids, fmt.Errorf("outbox: claim rows: %w", err)
	}
	return ids, nil
}

// begin begins a relay's transaction.
func (o *Outbox) begin(ctx context.Context) (*sql.Tx, error) {
	var options *sql.TxOptions
	if o.sql.dialect == MySQL {
		// By default it would lock all that was looked at, and the end of the table, where orders write.
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return o.db.BeginTx(ctx, options)
}

func candidates(ctx context.Context, tx *sql.Tx, query string, args ...any) (ids []int64, err error) {
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
func (o *Outbox) claimed(ctx context.Context, name string, ids []int64, maxBytes int) (found []outboxRow, whole bool, err error) {
	args := []any{name, name}
	for _, id := range ids {
		args = append(args, id)
	}
	rows, err := o.db.QueryContext(ctx, o.sql.claimed(len(ids)), args...)
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

// release gives rows of a claim back, as rows whose claim ends at a time.
func (o *Outbox) release(ctx context.Context, name string, ids []int64, until int64) error {
	if _, err := forBatches(ctx, o.db, o.sql.release, ids, until, name); err != nil {
		return fmt.Errorf("outbox: release rows: %w", err)
	}
	return nil
}

// remove deletes rows whose messages the broker confirmed, and answers those it could not.
func (o *Outbox) remove(ctx context.Context, ids []int64) ([]int64, error) {
	left, err := forBatches(ctx, o.db, o.sql.remove, ids)
	if err != nil {
		return left, fmt.Errorf("outbox: remove rows: %w", err)
	}
	return nil, nil
}

// removeMessages deletes the rows of messages, and answers those it could not.
func (o *Outbox) removeMessages(ctx context.Context, messageIDs []string) ([]string, error) {
	left, err := forBatches(ctx, o.db, o.sql.removeMessages, messageIDs)
	if err != nil {
		return left, fmt.Errorf("outbox: remove rows: %w", err)
	}
	return nil, nil
}

// fail marks a row of a claim that can never be sent.
func (o *Outbox) fail(ctx context.Context, name string, id int64, reason string) error {
	const maxReason = 1000
	if runes := []rune(reason); len(runes) > maxReason {
		reason = string(runes[:maxReason])
	}
	if _, err := o.db.ExecContext(ctx, o.sql.fail(), reason, name, id); err != nil {
		return fmt.Errorf("outbox: mark failed row: %w", err)
	}
	return nil
}

// executor is a database or a transaction in it.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// forBatches executes a statement on ids, a batch at a time, after its other arguments, and answers those it was not done for.
func forBatches[ID int64 | string](ctx context.Context, db executor, statement func(int) string, ids []ID, others ...any) ([]ID, error) {
	for len(ids) > 0 {
		batch := ids[:min(len(ids), relayBatch)]
		args := slices.Clone(others)
		for _, id := range batch {
			args = append(args, id)
		}
		if _, err := db.ExecContext(ctx, statement(len(batch)), args...); err != nil {
			return ids, err
		}
		ids = ids[len(batch):]
	}
	return nil, nil
}
