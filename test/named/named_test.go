// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package named

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// name is a test's, and that of a subtest in it, between backticks.
var name = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)((?:/[^`]+)?)")

func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	code, documents := repository(t, os.DirFS(filepath.Join("..", "..")))
	named := 0
	for path, text := range documents {
		for _, match := range name.FindAllStringSubmatch(text, -1) {
			if named++; !strings.Contains(code, "\nfunc "+match[1]+"(") {
				t.Errorf("%s names %s, which does not exist", path, match[1])
			}
			for part := range strings.SplitSeq(strings.TrimPrefix(match[2], "/"), "/") {
				if !strings.Contains(code, `"`+part+`"`) {
					t.Errorf("%s names %s%s, of which there is no %q", path, match[1], match[2], part)
				}
			}
		}
	}
	if named == 0 {
		t.Error("no document names a test: they are not read")
	}
}

// repository returns all code, and all documents by their path.
func repository(t *testing.T, root fs.FS) (code string, documents map[string]string) {
	t.Helper()
	var all strings.Builder
	documents = map[string]string{}
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		suffix := filepath.Ext(path)
		if suffix != ".go" && suffix != ".md" {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if suffix == ".go" {
			all.Write(text)
		} else {
			documents[path] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String(), documents
}
