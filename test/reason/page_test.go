// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package reason

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// of is the kinds that the comment of a condition names: ConditionDrained (MQConsumerGroup, ThirdPartyAdapter; only while suspended): ….
var of = regexp.MustCompile(`// (Condition\w+) \(([^)]+)\)`)

func TestThePageOfEachKindHasItsConditionsAndEvents(t *testing.T) {
	declared := constants(t)
	text, err := os.ReadFile(filepath.Join(root, "api", "v1alpha1", "condition.go"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := of.FindAllSubmatch(text, -1)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "spec", "v1alpha1", "*.md"))
	if err != nil || len(pages) == 0 || len(kinds) == 0 {
		t.Fatalf("%d pages, %d conditions of single kinds: %v", len(pages), len(kinds), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		body, told, found := strings.Cut(string(text), "### Events\n")
		if !found {
			t.Errorf("%s has no section of events", page)
		}
		kind := strings.TrimSuffix(filepath.Base(page), "s.md")
		for _, match := range kinds {
			condition := declared[string(match[1])]
			if strings.Contains(strings.ToLower(string(match[2])), kind) && !regexp.MustCompile(`\b`+condition+`\b`).MatchString(body) {
				t.Errorf("%s does not have the condition %s", page, condition)
			}
		}
		for _, event := range events(t, filepath.Join(root, "controllers", kind), declared) {
			if !strings.Contains(told, "`"+event+"`") {
				t.Errorf("%s does not have the event %s", page, event)
			}
		}
	}
}

// events are the reasons of those that a controller names: its constants event…, and what it hands to condition.Event without a variable.
func events(t *testing.T, folder string, declared map[string]string) (reasons []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no controller in %s: %v", folder, err)
	}
	add := func(value ast.Expr) {
		switch value := value.(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, text)
		case *ast.SelectorExpr:
			if reason, constant := declared[value.Sel.Name]; constant {
				reasons = append(reasons, reason)
			}
		}
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if strings.HasPrefix(n.Names[0].Name, "event") && len(n.Values) == 1 {
					add(n.Values[0])
				}
			case *ast.CallExpr:
				if called, ok := n.Fun.(*ast.SelectorExpr); ok && called.Sel.Name == "Event" && len(n.Args) == 5 { // recorder, object, type, reason, message
					add(n.Args[3])
				}
			}
			return true
		})
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}
