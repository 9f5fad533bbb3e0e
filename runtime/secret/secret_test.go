// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const value = "s3cr3t-value"

func TestText(t *testing.T) {
	for name, c := range map[string]struct{ content, want, err string }{
		"a line":                {value, value, ""},
		"a line with its break": {value + "\r\n", value, ""},
		"blanks are kept":       {" " + value + " ", " " + value + " ", ""},
		"nothing":               {"\n", "", `the Secret's key "k" is empty`},
		"two lines":             {value + "\n" + value, "", `the Secret's key "k" contains a line break or another control character`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "k"), []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Text(dir, "k")
			if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
				t.Errorf("got %q, %v, want %q, %q", got, err, c.want, c.err)
			}
			if err != nil && strings.Contains(err.Error(), value) {
				t.Error("the error contains the value")
			}
		})
	}
	if _, err := Text(t.TempDir(), "k"); !errors.Is(err, ErrMissing) {
		t.Errorf("no file: got %v, want ErrMissing", err)
	}
	if _, err := Text(filepath.Dir(t.TempDir()), filepath.Base(t.TempDir())); err == nil || errors.Is(err, ErrMissing) {
		t.Errorf("a folder: got %v", err)
	}
}

func TestCachedReadsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		current := Cached(func() (int, error) { reads++; return reads, nil })
		for range 3 {
			if got, _ := current(); got != 1 {
				t.Errorf("read %d times within a second", got)
			}
		}
		time.Sleep(Age)
		if got, _ := current(); got != 2 {
			t.Errorf("got %d after a second, want it read again", got)
		}
	})
}

func TestFilesOfOneVersionAreReadTogether(t *testing.T) {
	dir := t.TempDir()
	if got := Version(dir); got != dir {
		t.Errorf("a folder that is no mounted Secret: got %s", got)
	}
	put := func(version string) {
		t.Helper()
		if err := errors.Join(os.Mkdir(filepath.Join(dir, version), 0o700), os.WriteFile(filepath.Join(dir, version, "k"), []byte(version), 0o600),
			os.Symlink(version, filepath.Join(dir, "..next")), os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	put("..1")
	first := Version(dir)
	put("..2")
	for folder, want := range map[string]string{first: "..1", Version(dir): "..2"} {
		if got, err := Text(folder, "k"); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}
