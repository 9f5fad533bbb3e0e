// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestDecodeJSON(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		want     any
	}{
		"integers stay integers":             {`[0, -1, 9223372036854775807]`, []any{int64(0), int64(-1), int64(9223372036854775807)}},
		"a fraction or exponent is double":   {`[1.0, 1e2]`, []any{1.0, 100.0}},
		"objects, lists, texts and the rest": {`{"a": [{"b": null}, true, "c"]}`, map[string]any{"a": []any{map[string]any{"b": nil}, true, "c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeJSON([]byte(c.document))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeJSONTakesTheDeepestDocument(t *testing.T) {
	if _, err := DecodeJSON([]byte(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth))); err != nil {
		t.Error(err)
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	for name, c := range map[string]struct{ document, want string }{
		"nothing":                     {"", "it is not JSON at byte 0"},
		"half a document":             {`{"phone": "+8613800000000"`, "it is not JSON at byte 26"},
		"something else":              {"+8613800000000", "it is not JSON at byte 0"},
		"a second document":           {"{} {}", "something follows the document"},
		"bytes that are not UTF-8":    {"\"\xff\"", "it is not UTF-8"},
		"a name twice":                {`{"a": 1, "a": 2}`, "a name is given twice in one object at byte"},
		"an integer beyond 64 bits":   {"[9223372036854775808]", "does not fit into 64 bits: send it as a string"},
		"a double beyond 64 bits":     {"1e999", "does not fit into 64 bits"},
		"too many levels":             {strings.Repeat("[", MaxDepth+1), "it is nested deeper than 64 levels"},
		"a document beyond the limit": {`"` + strings.Repeat("x", MaxDocument) + `"`, "the document is too large: it has 1048578 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeJSON([]byte(c.document))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want it to contain %q", err, c.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error contains a value of the document: %v", err)
			}
		})
	}
	if _, err := DecodeJSON(make([]byte, MaxDocument+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

// What is JSON is what encoding/json says, and means the same; only what readers understand differently is refused.
func FuzzDecodeJSON(f *testing.F) {
	for _, document := range []string{
		orderJSON, ``, ` `, `[1,]`, `[,1]`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `[1 2]`, `01`, `-`, `-0`, `1.`, `.5`, `1e`, `1E+2`, `-1.5e-3`, `+1`, `nul`, `nullx`, `tru`, `"a`,
		`"\`, `"\"`, `"\u00e9\n"`, `"\ud800"`, `"\ud83d\ude00"`, `"\x"`, "\"\n\"", "\"\x7f\"", `[[],{}]`, `{"":{"a":[]}}`, "\ufeff1", "\x001", "1\x00",
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth),
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := DecodeJSON(document)
		switch valid := json.Valid(document); {
		case err == nil && !valid:
			t.Fatal("it takes what is no JSON")
		case err != nil && valid && strings.Contains(err.Error(), "it is not JSON"), err != nil && valid && strings.Contains(err.Error(), "something follows"):
			t.Fatalf("it says %v of what is JSON", err)
		case err != nil:
			return
		}
		var want any
		if err := json.Unmarshal(document, &want); err != nil {
			t.Fatal(err)
		}
		if got = asFloats(got); !reflect.DeepEqual(want, got) { // cmp takes for ever on what is nested deep
			t.Errorf("got %v, encoding/json says %v", got, want)
		}
	})
}

// asFloats is a document with the integers as encoding/json has them.
func asFloats(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = asFloats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = asFloats(v[name])
		}
	}
	return v
}

func BenchmarkDecodeJSON(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeJSON([]byte(orderJSON)); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add("order.items.map(i, i.sku)", orderJSON)
	f.Add("order[order.phone]", orderJSON)
	f.Add("[order].map(o, {'a': o})", `{"a": [1, 2.5, null]}`)
	f.Add("int(order.phone)", orderJSON)
	f.Fuzz(func(t *testing.T, source, document string) {
		p, err := Compile(worker.Expression{Field: "f", Source: source, Result: worker.AnyResult, Scope: worker.MessageScope})
		if err != nil || strings.Contains(source, canary) {
			return
		}
		order, err := DecodeJSON([]byte(document))
		if err != nil {
			return
		}
		result, err := p.Any(t.Context(), OfMessage(message{order}))
		if err != nil {
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error contains a value of the order: %v", err)
			}
			return
		}
		if _, err := json.Marshal(result); err != nil {
			t.Errorf("the result is no JSON: %v", err)
		}
	})
}
