// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package reason

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..")

// line is one of docs/conditions.md: | `Value` | what it means | `TestName` |.
var line = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| [^|]+ \\| `(Test\\w+)(?:/[^`]*)?` \\|$")

func TestEveryConditionAndReasonIsDocumentedAndReachedByTheTestThatItsLineNames(t *testing.T) {
	declared, tests := constants(t), mentions(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "conditions.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string][]string{} // by value: Ready is a type, and a reason
	for _, match := range line.FindAllStringSubmatch(string(text), -1) {
		named[match[1]] = append(named[match[1]], match[2])
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		value := declared[name]
		lines, documented := named[value]
		spoken := func(test string) bool { return slices.Contains(tests[name], test) }
		switch by := tests[name]; {
		case len(by) == 0:
			t.Errorf("%s = %q of api/v1alpha1 is reached by no test: write one that makes OrderFlow say it, or delete the constant", name, value)
		case !documented:
			t.Errorf("%s = %q has no line in docs/conditions.md: add \"| `%s` | what it means | `%s` |\"; it is in %q", name, value, value, by[0], by)
		case !slices.ContainsFunc(lines, spoken):
			t.Errorf("docs/conditions.md names %s for %q, which does not speak of v1alpha1.%s; these do: %q", lines, value, name, by)
		}
	}
	values := slices.Collect(maps.Values(declared))
	for value := range named {
		if slices.Contains(values, value) {
			continue
		}
		t.Errorf("docs/conditions.md has a line of %q, which api/v1alpha1 does not declare", value)
	}
}

// constants are types and reasons of conditions by the names of their constants: those of api/v1alpha1/condition.go, and the bounds that are the reasons of Scaling.
func constants(t *testing.T) map[string]string {
	t.Helper()
	values := constantsOf(t, "condition.go", "")
	maps.Copy(values, constantsOf(t, "mqconsumergroup_types.go", "ScalingBound"))
	return values
}

// constantsOf reads those of a type, or without one, from a file of api/v1alpha1.
func constantsOf(t *testing.T, name, kind string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", name), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			one := spec.(*ast.ValueSpec) //nolint:forcetypeassert // constants are
			if of, typed := one.Type.(*ast.Ident); typed != (kind != "") || typed && of.Name != kind {
				continue
			}
			value, err := strconv.Unquote(one.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values[one.Names[0].Name] = value
		}
	}
	if len(values) == 0 {
		t.Fatalf("api/v1alpha1/%s declares no such constant: it is not read", name)
	}
	return values
}

// mentions are the tests that speak of each constant of v1alpha1, sorted.
func mentions(t *testing.T) map[string][]string {
	t.Helper()
	by := map[string][]string{}
	for _, folder := range []string{"controllers", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			for _, declaration := range file.Decls {
				if test, ok := declaration.(*ast.FuncDecl); ok && strings.HasPrefix(test.Name.Name, "Test") {
					collect(test, by)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name := range by {
		slices.Sort(by[name])
		by[name] = slices.Compact(by[name])
	}
	return by
}

// collect adds a test to all constants of v1alpha1 that it speaks of.
func collect(test *ast.FuncDecl, by map[string][]string) {
	ast.Inspect(test, func(n ast.Node) bool {
		if constant, ok := n.(*ast.SelectorExpr); ok {
			if from, ok := constant.X.(*ast.Ident); ok && from.Name == "v1alpha1" {
				by[constant.Sel.Name] = append(by[constant.Sel.Name], test.Name.Name)
			}
		}
		return true
	})
}
