// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // The driver of MySQL.
	_ "github.com/lib/pq"              // The driver of PostgreSQL.

	"github.com/orderflow-dev/orderflow/internal/port"
)

// TestOutboxOnPostgreSQL runs where PostgreSQL is installed (Debian: postgresql); nothing else here needs it.
func TestOutboxOnPostgreSQL(t *testing.T) {
	initdb, postgres := databaseTool(t, "postgresql", "initdb"), databaseTool(t, "postgresql", "postgres")
	s := newDatabaseServer(t)
	data, number := filepath.Join(s.dir, "data"), freePort(t)
	s.run(t, initdb, "--no-sync", "--auth=trust", "--username=shop", "--encoding=UTF8", "--locale=C", "-D", data)
	s.start(t, syscall.SIGINT, postgres, "-D", data, "-p", number, "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	source := fmt.Sprintf("host=127.0.0.1 port=%s user=shop dbname=postgres sslmode=disable", number)
	outboxContract(t, outboxesOf(t, "postgres", source, PostgreSQL, "shop"))
}

// TestOutboxOnMariaDB runs the SQL of MySQL where MariaDB is installed (Debian: mariadb-server-core); nothing else here needs it.
func TestOutboxOnMariaDB(t *testing.T) {
	mariadb := databaseTool(t, "mariadb-server-core", "mariadbd")
	s := newDatabaseServer(t)
	number := freePort(t)
	// Without the tables of its users, as no more is needed and making them takes tools of other packages.
	s.start(t, syscall.SIGTERM, mariadb, "--no-defaults", "--datadir="+s.dir, "--skip-grant-tables", "--port="+number, "--bind-address=127.0.0.1",
		"--socket="+filepath.Join(s.dir, "socket"), "--innodb-flush-log-at-trx-commit=0")
	open := outboxesOf(t, "mysql", "root@tcp(127.0.0.1:"+number+")/", MySQL, "shop")
	outboxContract(t, open)
	t.Run("a claim holds up no order", func(t *testing.T) { claimBesideAnOrder(t, open) })
}

// claimBesideAnOrder has a relay claim at the end of the table while an order's transaction writes there.
func claimBesideAnOrder(t *testing.T, open func(*testing.T) (*sql.DB, *Outbox)) {
	db, box := open(t)
	add(t, db, box, of("k", 0), true)
	tx, err := box.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	now := time.Now().UnixMilli()
	ids, err := candidates(t.Context(), tx, box.sql.candidates(relayBatch, fresh().order()), now, 0, 0, now, 0, 0)
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	if _, err := db.ExecContext(t.Context(), "SET GLOBAL innodb_lock_wait_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(0) // so that the next connection has it
	add(t, db, box, of("k", 1), true)
}

// outboxesOf makes empty outboxes, each in a table of its own of a schema.
func outboxesOf(t *testing.T, driver, source string, dialect Dialect, schema string) func(*testing.T) (*sql.DB, *Outbox) {
	open := func(t *testing.T) *sql.DB {
		t.Helper()
		db, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	db := open(t)
	within(t, time.Minute, "the database answers", func() bool { return db.PingContext(t.Context()) == nil })
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	n := 0
	return func(t *testing.T) (*sql.DB, *Outbox) {
		db := open(t)
		n++
		box, err := NewOutbox(db, dialect, fmt.Sprint(schema, ".outbox", n))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // The second time it is there.
			if err := box.CreateTable(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return db, box
	}
}

// databaseServer is a database that runs for one test, in a folder of its own.
type databaseServer struct {
	dir        string
	attributes *syscall.SysProcAttr
}

func newDatabaseServer(t *testing.T) *databaseServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "orderflow-outbox-") //nolint:usetesting // another user has to reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := &databaseServer{dir: dir, attributes: &syscall.SysProcAttr{}}
	if os.Geteuid() == 0 { // as whom databases refuse to run
		const nobody = 65534
		s.attributes.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *databaseServer) command(ctx context.Context, t *testing.T, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.attributes
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	return cmd
}

func (s *databaseServer) run(t *testing.T, name string, args ...string) {
	t.Helper()
	if err := s.command(t.Context(), t, name, args...).Run(); err != nil {
		t.Fatal(name, err)
	}
}

// start runs the server until the test ends, and then stops it by the signal for it.
func (s *databaseServer) start(t *testing.T, stop os.Signal, name string, args ...string) {
	t.Helper()
	server := s.command(context.WithoutCancel(t.Context()), t, name, args...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(stop); err != nil {
			t.Error(err)
		}
		if err := server.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	_, free, err := net.SplitHostPort(port.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	return free
}

// databaseTool finds a program of a Debian package in the path, or where Debian puts it.
func databaseTool(t *testing.T, from, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/sbin/"} {
		if found, err := filepath.Glob(pattern + name); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Skipf("%s is not installed here (Debian: apt-get install %s): its SQL is not run, see TestStatementsOfEachDialect", name, from)
	return ""
}
