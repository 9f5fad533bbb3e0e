// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // The database driver.

	"github.com/orderflow-dev/orderflow/runtime/producer"
	"github.com/orderflow-dev/orderflow/test/ledger"
)

var (
	// ErrAlreadyPaid means that the order was paid before.
	ErrAlreadyPaid = errors.New("the order is already paid")
	// ErrOutOfStock means that there is less in stock than the order wants.
	ErrOutOfStock = errors.New("out of stock")
)

const schema = `
CREATE TABLE IF NOT EXISTS orders (
	id TEXT PRIMARY KEY,
	status TEXT NOT NULL,
	content BLOB NOT NULL,
	paid_ms INTEGER,
	sent TEXT,
	outbox_id TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL) WITHOUT ROWID;`

const (
	insertOrder = `INSERT INTO orders (id, status, content) VALUES (?, 'created', ?) ON CONFLICT DO NOTHING`
	payOrder    = `UPDATE orders SET status = 'paid', paid_ms = ?, sent = ?, outbox_id = ? WHERE id = ? AND status = 'created'`
	deductStock = `UPDATE stock SET quantity = quantity - ?1 WHERE sku = ?2 AND quantity >= ?1`
)

// store is the shop's database. One connection writes, so that writers queue instead of failing; others read beside it.
type store struct {
	write, read *sql.DB
	outbox      *producer.Outbox
}

func openStore(ctx context.Context, path string) (s *store, err error) {
	s = &store{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open database %s: %w", path, err), s.close())
		}
	}()
	source := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)&_txlock=immediate"
	if s.write, err = sql.Open("sqlite", source); err != nil {
		return s, err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", source); err != nil {
		return s, err
	}
	if _, err = s.write.ExecContext(ctx, schema); err != nil {
		return s, err
	}
	if s.outbox, err = producer.NewOutbox(s.write, producer.SQLite, ""); err != nil {
		return s, err
	}
	if err = s.outbox.CreateTable(ctx); err != nil {
		return s, err
	}
	return s, nil
}

func (s *store) close() error {
	var errs []error
	for _, db := range []*sql.DB{s.write, s.read} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// restock sets the stock of articles.
func (s *store) restock(ctx context.Context, skus []string, quantity int) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		for _, sku := range skus {
			_, err := tx.ExecContext(ctx, `INSERT INTO stock (sku, quantity) VALUES (?, ?)
				ON CONFLICT (sku) DO UPDATE SET quantity = excluded.quantity`, sku, quantity)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// create writes orders that are not paid yet.
func (s *store) create(ctx context.Context, orders ...producer.OrderEvent) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		for _, o := range orders {
			content, err := json.Marshal(o)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, insertOrder, o.ID, content); err != nil {
				return err
			}
		}
		return nil
	})
}

// pay marks the order paid, deducts its items from the stock and, when msg is not nil, writes its outbox row: all or
// nothing.
func (s *store) pay(ctx context.Context, o producer.OrderEvent, sent string, msg *producer.Message) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		for _, item := range o.Items {
			if n, err := affected(tx.ExecContext(ctx, deductStock, item.Quantity, item.SKU)); err != nil {
				return err
			} else if n == 0 {
				return fmt.Errorf("%w: %s", ErrOutOfStock, item.SKU)
			}
		}
		var promised sql.NullString
		if msg != nil {
			promised = sql.NullString{String: msg.ID, Valid: true}
		}
		n, err := affected(tx.ExecContext(ctx, payOrder, o.PaidAt.UnixMilli(), sent, promised, o.ID))
		switch {
		case err != nil:
			return err
		case n == 0:
			return ErrAlreadyPaid
		case msg != nil:
			return s.outbox.Add(ctx, tx, *msg)
		}
		return nil
	})
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s *store) transact(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// paid calls f for every paid order whose id begins with prefix, oldest first; Told is left to the caller.
func (s *store) paid(ctx context.Context, prefix string, f func(ledger.Order) error) (err error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT o.id, o.paid_ms, o.sent, o.outbox_id IS NOT NULL, o.outbox_id IS NOT NULL AND b.id IS NULL
		FROM orders o LEFT JOIN `+producer.DefaultTable+` b ON b.message_id = o.outbox_id
		WHERE o.status = 'paid' AND substr(o.id, 1, ?) = ? ORDER BY o.paid_ms, o.id`, len(prefix), prefix)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var o ledger.Order
		if err := rows.Scan(&o.ID, &o.PaidAtMillis, &o.Sent, &o.Outbox, &o.Relayed); err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		if err := f(o); err != nil {
			return err
		}
	}
	return rows.Err()
}

// stock is what is left of an article.
func (s *store) stock(ctx context.Context, sku string) (quantity int, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT quantity FROM stock WHERE sku = ?`, sku).Scan(&quantity)
	return quantity, err
}

// now is the time of a payment, as precise as an event shows it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
