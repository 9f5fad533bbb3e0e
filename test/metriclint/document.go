// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package metriclint

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var write = flag.Bool("write-docs", false, "write the lists of metrics into docs/metrics.md rather than compare them")

// Documented fails the test if the file does not list the registry's metrics, between the lines "<!-- <part> -->" and "<!-- end of <part> -->". Labels that
// all of them have are said beside the list.
func Documented(t *testing.T, registry prometheus.Gatherer, file, part string, common ...string) {
	t.Helper()
	var list strings.Builder
	list.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range Gather(t, registry) {
		own := slices.DeleteFunc(labelsOf(f), func(label string) bool { return slices.Contains(common, label) })
		fmt.Fprintf(&list, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(own, ", "), f.GetHelp())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+part+" -->\n", "<!-- end of "+part+" -->\n"
	before, rest, found := strings.Cut(string(text), begin)
	is, after, ended := strings.Cut(rest, end)
	switch {
	case !found || !ended:
		t.Fatalf("%s has no lines %q and %q", file, begin, end)
	case is == list.String():
	case *write:
		if err := os.WriteFile(file, []byte(before+begin+list.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not list the metrics as they are: run this test with -args -write-docs\n%s", file, list.String())
	}
}
