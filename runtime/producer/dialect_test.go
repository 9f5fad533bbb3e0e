// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStatementsOfEachDialect compares with testdata/outbox.sql, for a human to judge: SQLite, PostgreSQL and MySQL (by MariaDB) run
// in tests, the others do not. UPDATE_GOLDEN=1 writes the file.
func TestStatementsOfEachDialect(t *testing.T) {
	var b strings.Builder
	for _, d := range []Dialect{SQLite, MySQL, PostgreSQL, SQLServer, Oracle} {
		s := statements{dialect: d, table: "shop.outbox"}
		fmt.Fprintf(&b, "-- %s\n", d)
		for _, statement := range slices.Concat(s.schema(), []string{
			s.insert(), s.candidates(100, fresh().order()), s.candidates(100, again(time.Now()).order()), s.claim(2), s.claimed(2), s.release(2), s.remove(2), s.removeMessages(2),
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
