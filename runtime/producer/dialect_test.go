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
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/lib/pq" // The driver of PostgreSQL.
)

// TestStatementsOfEachDialect compares with testdata/outbox.sql, for a human to judge: SQLite and PostgreSQL run in tests, the
// others do not. UPDATE_GOLDEN=1 writes the file.
func TestStatementsOfEachDialect(t *testing.T) {
	var b strings.Builder
	for _, d := range []Dialect{SQLite, MySQL, PostgreSQL, SQLServer, Oracle} {
		s := statements{dialect: d, table: "shop.outbox"}
		fmt.Fprintf(&b, "-- %s\n", d)
		for _, statement := range slices.Concat(s.schema(), []string{
			s.insert(), s.candidates(100), s.claim(2), s.claimed(), s.release(), s.releaseRows(2), s.remove(2), s.removeMessages(2),
			s.fail(), s.failed(100), s.retry(), s.count(),
		}) {
			fmt.Fprintf(&b, "%s;\n", statement)
		}
		b.WriteByte('\n')
	}
	const golden = "testdata/outbox.sql"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("statements (-golden +got):\n%s", diff)
	}
}

// TestOutboxOnPostgreSQL runs where PostgreSQL is installed (Debian: postgresql); nothing else here needs it.
func TestOutboxOnPostgreSQL(t *testing.T) {
	source := startPostgreSQL(t)
	n := 0
	outboxContract(t, func(t *testing.T) (*sql.DB, *Outbox) {
		db, err := sql.Open("postgres", source)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		n++
		box, err := NewOutbox(db, PostgreSQL, fmt.Sprint("public.outbox", n))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // The second time it is there.
			if err := box.CreateTable(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return db, box
	})
}

// startPostgreSQL runs a database for this test and answers how to connect.
func startPostgreSQL(t *testing.T) string {
	t.Helper()
	initdb := postgresTool(t, "initdb")
	dir, err := os.MkdirTemp("", "orderflow-postgresql-") //nolint:usetesting // another user has to reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	attributes := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // as whom PostgreSQL refuses to run
		const nobody = 65534
		attributes.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	run := func(ctx context.Context, name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir, cmd.SysProcAttr = dir, attributes
		cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
		return cmd
	}
	data := filepath.Join(dir, "data")
	if err := run(t.Context(), initdb, "--no-sync", "--auth=trust", "--username=shop", "--encoding=UTF8", "--locale=C", "-D", data).Run(); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	server := run(context.WithoutCancel(t.Context()), postgresTool(t, "postgres"), "-D", data, "-p", port, "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(syscall.SIGINT); err != nil { // fast shutdown
			t.Error(err)
		}
		if err := server.Wait(); err != nil {
			t.Error(err)
		}
	})
	source := fmt.Sprintf("host=127.0.0.1 port=%s user=shop dbname=postgres sslmode=disable", port)
	db, err := sql.Open("postgres", source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	within(t, time.Minute, "PostgreSQL answers", func() bool { return db.PingContext(t.Context()) == nil })
	return source
}

// postgresTool finds a program in the path or where Debian puts it.
func postgresTool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		t.Skipf("PostgreSQL is not installed here (no %s; Debian: apt-get install postgresql): its SQL is not run, see TestStatementsOfEachDialect", name)
	}
	return found[len(found)-1]
}
