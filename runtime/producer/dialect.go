// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialect is the SQL of an outbox's database.
type Dialect string

// The dialects. MySQL needs 8.0 (MariaDB 10.6), PostgreSQL 9.5, SQLServer 2016, Oracle 12.2.
const (
	SQLite     Dialect = "SQLite"
	MySQL      Dialect = "MySQL"
	PostgreSQL Dialect = "PostgreSQL"
	SQLServer  Dialect = "SQLServer"
	Oracle     Dialect = "Oracle"
)

// statements are the SQL of one table in one dialect.
type statements struct {
	dialect Dialect
	table   string
}

// types are the column types of a dialect: an ascending key the database assigns, 64 bits, a text of 255 characters that is
// compared byte by byte, a text of 1000, and bytes.
type types struct{ key, number, name, text, bytes string }

func (d Dialect) types() (types, error) {
	switch d {
	case SQLite:
		return types{"INTEGER PRIMARY KEY AUTOINCREMENT", "INTEGER", "TEXT", "TEXT", "BLOB"}, nil
	case MySQL:
		return types{"BIGINT AUTO_INCREMENT PRIMARY KEY", "BIGINT", "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "VARCHAR(1000)", "LONGBLOB"}, nil
	case PostgreSQL:
		return types{"BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BIGINT", "VARCHAR(255)", "VARCHAR(1000)", "BYTEA"}, nil
	case SQLServer:
		return types{"BIGINT IDENTITY(1,1) PRIMARY KEY", "BIGINT", "NVARCHAR(255) COLLATE Latin1_General_BIN2", "NVARCHAR(1000)", "VARBINARY(MAX)"}, nil
	case Oracle:
		return types{"NUMBER(19) GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "NUMBER(19)", "VARCHAR2(255 CHAR)", "VARCHAR2(1000 CHAR)", "BLOB"}, nil
	}
	return types{}, fmt.Errorf("outbox: dialect %q is unknown: want %s, %s, %s, %s or %s", d, SQLite, MySQL, PostgreSQL, SQLServer, Oracle)
}

// schema creates the table and its index.
func (s statements) schema() []string {
	t, err := s.dialect.types()
	if err != nil {
		return nil // NewOutbox has refused the dialect
	}
	index := strings.ReplaceAll(s.table, ".", "_") + "_order_key"
	columns := fmt.Sprintf(` (
	id %s,
	message_id %s NOT NULL UNIQUE,
	order_key %s,
	created_ms %s NOT NULL,
	claimed_until_ms %s DEFAULT 0 NOT NULL,
	claim %s,
	failure %s,
	message %s NOT NULL`, t.key, t.name, t.name, t.number, t.number, t.name, t.text, t.bytes)
	inside := columns + fmt.Sprintf(",\n\tINDEX %s (order_key, id)\n)", index)
	columns += "\n)"
	create := "CREATE TABLE IF NOT EXISTS " + s.table
	switch s.dialect {
	case MySQL:
		return []string{create + inside}
	case SQLServer:
		return []string{fmt.Sprintf("IF OBJECT_ID(N'%s') IS NULL CREATE TABLE %s%s", s.table, s.table, inside)}
	case Oracle: // has IF NOT EXISTS only from 23 on
		return []string{"CREATE TABLE " + s.table + columns, fmt.Sprintf("CREATE INDEX %s ON %s (order_key, id)", index, s.table)}
	}
	return []string{create + columns, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s (order_key, id)", index, s.table)}
}

func (s statements) insert() string {
	return s.bind("INSERT INTO " + s.table + " (message_id, order_key, created_ms, message) VALUES (?, ?, ?, ?)")
}

// candidates are rows that may be claimed: written before ?, claimed until between ? and ?, and with no earlier row of their order key
// that may not (before ?, between ? and ?). Where the database can, it passes over rows that another relay is just claiming;
// what makes a claim sure is the condition of claim.
func (s statements) candidates(limit int, order string) string {
	return s.limited("o.id", "o.created_ms <= ? AND o.claimed_until_ms BETWEEN ? AND ? AND o.failure IS NULL AND NOT EXISTS (SELECT 1 FROM "+s.table+" e"+
		s.readPast()+" WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.created_ms > ? OR e.claimed_until_ms NOT BETWEEN ? AND ?))",
		order, limit, true)
}

// claim takes n rows, until a time and under a name, that are still claimed by nobody: until between two times.
func (s statements) claim(n int) string {
	return s.bind("UPDATE " + s.table + " SET claim = ?, claimed_until_ms = ? WHERE claimed_until_ms BETWEEN ? AND ? AND failure IS NULL AND id IN " + list(n))
}

// claimed reads those of n rows of a claim that may be sent: those with no earlier row of their order key outside the claim.
func (s statements) claimed(n int) string {
	return s.bind("SELECT o.id, o.order_key, o.message FROM " + s.table + " o WHERE o.claim = ? AND NOT EXISTS (SELECT 1 FROM " + s.table +
		" e WHERE e.order_key = o.order_key AND e.id < o.id AND e.failure IS NULL AND (e.claim IS NULL OR e.claim <> ?)) AND o.id IN " + list(n) + " ORDER BY o.id")
}

// release gives back n rows of a claim, if they still are its own, as claimed until a time.
func (s statements) release(n int) string {
	return s.bind("UPDATE " + s.table + " SET claim = NULL, claimed_until_ms = ? WHERE claim = ? AND id IN " + list(n))
}

func (s statements) remove(n int) string {
	return s.bind("DELETE FROM " + s.table + " WHERE id IN " + list(n))
}

func (s statements) removeMessages(n int) string {
	return s.bind("DELETE FROM " + s.table + " WHERE message_id IN " + list(n))
}

// fail marks a row of a claim, if it still is its own.
func (s statements) fail() string {
	return s.bind("UPDATE " + s.table + " SET failure = ?, claim = NULL WHERE claim = ? AND id = ?")
}

func (s statements) failed(limit int) string {
	return s.limited("o.message_id, o.failure", "o.failure IS NOT NULL", "o.id", limit, false)
}

func (s statements) retry() string {
	return s.bind("UPDATE " + s.table + " SET failure = NULL, claimed_until_ms = 0 WHERE message_id = ?")
}

func (s statements) count() string {
	return "SELECT COUNT(*) FROM " + s.table + " WHERE failure IS NULL"
}

// limited selects the first rows o of the table, by an order.
func (s statements) limited(columns, condition, order string, limit int, lock bool) string {
	from, before, after := s.table+" o", "", fmt.Sprintf(" LIMIT %d", limit)
	switch s.dialect {
	case SQLServer:
		before, after = fmt.Sprintf("TOP (%d) ", limit), ""
		if lock {
			from += " WITH (UPDLOCK, READPAST, ROWLOCK)"
		}
	case Oracle: // which locks no rows of a limited result
		after = fmt.Sprintf(" FETCH FIRST %d ROWS ONLY", limit)
	case MySQL, PostgreSQL:
		if lock {
			after += " FOR UPDATE SKIP LOCKED"
		}
	case SQLite: // which has one writer
	}
	return s.bind("SELECT " + before + columns + " FROM " + from + " WHERE " + condition + " ORDER BY " + order + after)
}

// readPast lets SQL Server, which reads no older versions, not wait for rows that another relay is just claiming.
func (s statements) readPast() string {
	if s.dialect == SQLServer {
		return " WITH (READPAST)"
	}
	return ""
}

// list is a list of n placeholders.
func list(n int) string { return "(?" + strings.Repeat(", ?", n-1) + ")" }

// bind writes the placeholders as the dialect has them.
func (s statements) bind(statement string) string {
	prefix := map[Dialect]string{PostgreSQL: "$", SQLServer: "@p", Oracle: ":"}[s.dialect]
	if prefix == "" {
		return statement
	}
	var b strings.Builder
	for n, part := range strings.Split(statement, "?") {
		if n > 0 {
			b.WriteString(prefix + strconv.Itoa(n))
		}
		b.WriteString(part)
	}
	return b.String()
}
