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
	"time"
)

// DefaultTable is the outbox's table unless the user names one.
const DefaultTable = "orderflow_outbox"

// Outbox is a table in the user's own database. A row is a message that its transaction promised to send.
type Outbox struct {
	db *sql.DB
	// The statements, on the outbox's table.
	createTable, insertRow, countRows, readRows, deleteRow string
}

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// NewOutbox makes an outbox on a table of db; an empty table name is DefaultTable.
func NewOutbox(db *sql.DB, table string) (*Outbox, error) {
	if table == "" {
		table = DefaultTable
	}
	if !tableName.MatchString(table) {
		return nil, fmt.Errorf("outbox table %q is not a plain SQL name", table)
	}
	return &Outbox{
		db: db,
		createTable: `CREATE TABLE IF NOT EXISTS ` + table + ` (
			id INTEGER PRIMARY KEY AUTOINCREMENT,
			created_ms INTEGER NOT NULL,
			message BLOB NOT NULL)`,
		insertRow: `INSERT INTO ` + table + ` (created_ms, message) VALUES (?, ?)`,
		countRows: `SELECT COUNT(*) FROM ` + table,
		readRows:  `SELECT id, message FROM ` + table + ` WHERE created_ms <= ? ORDER BY id LIMIT ?`,
		deleteRow: `DELETE FROM ` + table + ` WHERE id = ?`,
	}, nil
}

// CreateTable makes the table in a SQLite database when it is missing. In other databases create it by a migration:
// an ascending key assigned by the database, the time of writing in milliseconds, and the message as JSON.
func (o *Outbox) CreateTable(ctx context.Context) error {
	if _, err := o.db.ExecContext(ctx, o.createTable); err != nil {
		return fmt.Errorf("create outbox table: %w", err)
	}
	return nil
}

// Add writes a row in the caller's transaction and answers its id. A message without an ID is refused: the row may be
// sent more than once, and consumers must be able to tell. A message that can never be sent is refused too, as it would
// stop all rows behind it.
func (o *Outbox) Add(ctx context.Context, tx *sql.Tx, msg Message) (int64, error) {
	if msg.ID == "" {
		return 0, errors.New("outbox: the message has no ID; set it from Producer.NewID")
	}
	if err := msg.Validate(); err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	encoded, err := json.Marshal(msg)
	if err != nil {
		return 0, fmt.Errorf("outbox: encode message: %w", err)
	}
	res, err := tx.ExecContext(ctx, o.insertRow, time.Now().UnixMilli(), encoded)
	if err != nil {
		return 0, fmt.Errorf("outbox: write row: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, fmt.Errorf("outbox: read the new row's id: %w", err)
	}
	return id, nil
}

// Waiting counts the rows not yet confirmed.
func (o *Outbox) Waiting(ctx context.Context) (int, error) {
	var n int
	if err := o.db.QueryRowContext(ctx, o.countRows).Scan(&n); err != nil {
		return 0, fmt.Errorf("outbox: count rows: %w", err)
	}
	return n, nil
}

type outboxRow struct {
	id  int64
	msg Message
}

// read answers the oldest rows written before the given time, in the order they were written.
func (o *Outbox) read(ctx context.Context, before time.Time, limit int) (found []outboxRow, err error) {
	rows, err := o.db.QueryContext(ctx, o.readRows, before.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("outbox: read rows: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var row outboxRow
		var encoded []byte
		if err := rows.Scan(&row.id, &encoded); err != nil {
			return nil, fmt.Errorf("outbox: read row: %w", err)
		}
		if err := json.Unmarshal(encoded, &row.msg); err != nil {
			return nil, fmt.Errorf("outbox: decode row %d: %w", row.id, err)
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

// remove deletes rows whose messages the broker confirmed.
func (o *Outbox) remove(ctx context.Context, ids []int64) error {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("outbox: remove sent rows: %w", err)
	}
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, o.deleteRow, id); err != nil {
			return fmt.Errorf("outbox: remove sent rows: %w", errors.Join(err, tx.Rollback()))
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("outbox: remove sent rows: %w", err)
	}
	return nil
}
