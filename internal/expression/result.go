// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// remedy is how to get a type from another.
var remedy = map[worker.ResultType]string{
	worker.StringResult: "wrap it in string(...)",
	worker.IntResult:    "wrap it in int(...)",
	worker.BoolResult:   "compare it, for example with == or >",
	worker.MapResult:    "write {\"name\": value}",
	worker.TimeResult:   "wrap it in timestamp(...)",
}

var kinds = map[worker.ResultType][]cel.Kind{
	worker.StringResult: {types.StringKind},
	worker.IntResult:    {types.IntKind},
	worker.BoolResult:   {types.BoolKind},
	worker.MapResult:    {types.MapKind},
	worker.TimeResult:   {types.TimestampKind, types.StringKind},
}

// checkType refuses a type that is known before evaluation and is not what is needed.
func checkType(got *cel.Type, want worker.ResultType) error {
	if want == worker.AnyResult || got.Kind() == types.DynKind || slices.Contains(kinds[want], got.Kind()) {
		return nil
	}
	return fmt.Errorf("yields %s, not %s: %s", got, want, remedy[want])
}

// checkValue refuses a result of another type than is needed.
func checkValue(got any, want worker.ResultType) error {
	ok := true
	switch want {
	case worker.StringResult, worker.TimeResult: // a timestamp is a string by now
		_, ok = got.(string)
	case worker.IntResult:
		_, ok = got.(int64)
	case worker.BoolResult:
		_, ok = got.(bool)
	case worker.MapResult:
		_, ok = got.(map[string]any)
	}
	if !ok {
		return fmt.Errorf("yields %s, not %s: %s", name(got), want, remedy[want])
	}
	return nil
}

// name is the CEL name of a result's type.
func name(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case int64:
		return "int"
	case uint64:
		return "uint"
	case float64:
		return "double"
	case []any:
		return "list"
	case map[string]any:
		return "map"
	}
	return fmt.Sprintf("%T", v)
}

// maxResult bounds a result, in bytes of strings and entries of lists and maps: an expression can name the same list a thousand times.
const maxResult = MaxDocument

// tooLarge is the error of a result beyond maxResult.
const tooLarge = "the result is too large"

// native converts a result to plain JSON.
func native(v ref.Val) (any, error) {
	left := maxResult
	return toNative(v, &left)
}

func toNative(v ref.Val, left *int) (any, error) {
	if *left--; *left < 0 {
		return nil, errors.New(tooLarge)
	}
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return uint64(v), nil
	case types.Double:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
		return nil, errors.New("a number of the result is not finite, which JSON cannot express")
	case types.String:
		*left -= len(v)
		return string(v), nil
	case types.Bytes:
		*left -= len(v)
		return base64.StdEncoding.EncodeToString(v), nil
	case types.Timestamp:
		return v.Format(time.RFC3339Nano), nil
	case types.Duration:
		return v.String(), nil
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return toNative(v.GetValue(), left)
	case traits.Mapper:
		return toMap(v, left)
	case traits.Lister:
		return toList(v, left)
	}
	return nil, fmt.Errorf("a value of type %s cannot be sent as JSON", v.Type().TypeName())
}

func toMap(m traits.Mapper, left *int) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, errors.New("the keys of a map must be strings")
		}
		value, err := toNative(m.Get(key), left)
		if err != nil {
			return nil, err
		}
		*left -= len(name)
		out[string(name)] = value
	}
	return out, nil
}

func toList(l traits.Lister, left *int) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		value, err := toNative(it.Next(), left)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, nil
}
