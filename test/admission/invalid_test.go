// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// invalidDir has a folder for each kind: a valid manifest, and files of what is refused.
var invalidDir = filepath.Join("..", "invalid")

// invalid is a manifest that is refused, as test/invalid/README.md says.
type invalid struct {
	sentence, kind string

	// Set are changes to the valid manifest of the kind: dotted path → value.
	Set map[string]any `json:"set"`
	// Was are the changes that an object has before it is updated to Set; nil: Set is created.
	Was map[string]any `json:"was"`
	// Raw is the manifest itself, for what no object can hold.
	Raw string `json:"raw"`
	// Field and Message are what the API server says of it.
	Field   string `json:"field"`
	Message string `json:"message"`
	// Corrected are the changes that a rule's message advises, instead of Set: they are accepted.
	Corrected map[string]any `json:"corrected"`
}

// manifests are the valid manifests by kind, and the invalid ones.
func manifests(t *testing.T) (valid map[string]string, refused []invalid) {
	t.Helper()
	valid = map[string]string{}
	files, err := filepath.Glob(filepath.Join(invalidDir, "*", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests in %s: %v", invalidDir, err)
	}
	seen := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kind := filepath.Base(filepath.Dir(file))
		if filepath.Base(file) == "valid.yaml" {
			valid[kind] = string(text)
			continue
		}
		var cases map[string]invalid
		if err := yaml.UnmarshalStrict(text, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, sentence := range slices.Sorted(maps.Keys(cases)) {
			c := cases[sentence]
			c.sentence, c.kind = sentence, kind
			if other, twice := seen[sentence]; twice {
				t.Errorf("%s and %s both have %q", other, file, sentence)
			}
			seen[sentence] = file
			refused = append(refused, c)
		}
	}
	return valid, refused
}

// object is a valid manifest with changes.
func object(t *testing.T, valid string, changes map[string]any) *unstructured.Unstructured {
	t.Helper()
	content := parse(t, valid).(map[string]any)              //nolint:forcetypeassert // a manifest is one
	for _, path := range slices.Sorted(maps.Keys(changes)) { // what holds others comes before them
		set(t, content, strings.Split(path, "."), expand(changes[path]))
	}
	return &unstructured.Unstructured{Object: content}
}

func parse(t *testing.T, text string) (value any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), &value); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return value
}

// set writes value at path; null removes the field, and a step that is a number is an element of a list.
func set(t *testing.T, in map[string]any, path []string, value any) {
	t.Helper()
	head := path[0]
	if len(path) == 1 {
		if in[head] = value; value == nil {
			delete(in, head)
		}
		return
	}
	switch next := in[head].(type) {
	case map[string]any:
		set(t, next, path[1:], value)
	case []any:
		n, err := strconv.Atoi(path[1])
		if err != nil || n >= len(next) {
			t.Fatalf("%s has no element %s", head, path[1])
		}
		set(t, next[n].(map[string]any), path[2:], value)
	default:
		created := map[string]any{}
		in[head] = created
		set(t, created, path[1:], value)
	}
}

// expand makes what is too long to be written: {string: a, times: n}, {item: …, times: n}, which becomes a list, and {entry: key, times: n}, which becomes
// a map. In a string of an item or an entry # is its number.
func expand(value any) any {
	if list, ok := value.([]any); ok {
		for i := range list {
			list[i] = expand(list[i])
		}
	}
	given, _ := value.(map[string]any)
	times, _ := given["times"].(float64)
	n := int(times)
	switch {
	case len(given) != 2 || n == 0:
		return value
	case given["string"] != nil:
		return strings.Repeat(given["string"].(string), n) //nolint:forcetypeassert // as documented
	case given["item"] != nil:
		var list []any
		for i := range n {
			list = append(list, number(given["item"], i))
		}
		return list
	case given["entry"] != nil:
		entries := map[string]any{}
		for i := range n {
			entries[number(given["entry"], i).(string)] = "" //nolint:forcetypeassert // as documented
		}
		return entries
	}
	return value
}

func number(value any, n int) any {
	switch value := value.(type) {
	case string:
		return strings.ReplaceAll(value, "#", strconv.Itoa(n))
	case map[string]any:
		numbered := map[string]any{}
		for name, field := range value {
			numbered[name] = number(field, n)
		}
		return numbered
	}
	return value
}
