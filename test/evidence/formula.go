// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// ErrNoSamples means that a formula names a series that has none.
var ErrNoSamples = errors.New("no samples")

// statistics are the functions of one series; all but count need at least one value.
var statistics = map[string]func([]float64) float64{
	"count":    func(v []float64) float64 { return float64(len(v)) },
	"total":    total,
	"mean":     func(v []float64) float64 { return total(v) / float64(len(v)) },
	"median":   func(v []float64) float64 { return Quantile(v, 0.5) },
	"smallest": slices.Min[[]float64],
	"largest":  slices.Max[[]float64],
}

func total(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum
}

// Quantile interpolates between the two nearest of the sorted values; q is from 0 to 1, and there is at least one value.
func Quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	position := q * float64(len(sorted)-1)
	low := int(math.Floor(position))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (position-float64(low))*(sorted[high]-sorted[low])
}

// evaluate computes a formula: one value, or one for each round.
func evaluate(formula string, samples Samples) ([]float64, error) {
	env, err := formulaEnv(samples)
	if err != nil {
		return nil, err
	}
	out, err := run(env, formula, map[string]any{})
	if err != nil {
		return nil, err
	}
	values := []float64{}
	switch value := out.Value().(type) {
	case float64:
		values = append(values, value)
	default:
		list, err := out.ConvertToNative(reflect.TypeFor[[]float64]())
		if err != nil {
			return nil, fmt.Errorf("formula %q is neither a double nor a list of doubles: %w", formula, err)
		}
		values = list.([]float64)
	}
	if len(values) == 0 {
		return nil, ErrNoSamples
	}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("formula %q gives %v", formula, v)
		}
	}
	return values, nil
}

// met reports whether a figure meets its goal.
func met(goal string, figure float64) (bool, error) {
	env, err := cel.NewEnv(cel.Variable("x", cel.DoubleType))
	if err != nil {
		return false, err
	}
	out, err := run(env, goal, map[string]any{"x": figure})
	if err != nil {
		return false, err
	}
	ok, isBool := out.Value().(bool)
	if !isBool {
		return false, fmt.Errorf("goal %q is no condition", goal)
	}
	return ok, nil
}

func run(env *cel.Env, source string, vars map[string]any) (ref.Val, error) {
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, fmt.Errorf("compile %q: %w", source, issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", source, err)
	}
	out, _, err := program.Eval(vars)
	if err != nil {
		return nil, fmt.Errorf("compute %q: %w", source, err)
	}
	return out, nil
}

// formulaEnv declares the functions over these samples.
func formulaEnv(samples Samples) (*cel.Env, error) {
	apply := func(series ref.Val, empty bool, f func([]float64) float64) ref.Val {
		name := fmt.Sprint(series.Value())
		values, ok := samples[name]
		if !ok || len(values) == 0 && !empty {
			return types.WrapErr(fmt.Errorf("series %q: %w", name, ErrNoSamples))
		}
		return types.Double(f(values))
	}
	options := []cel.EnvOption{
		cel.Function("quantile", cel.Overload("quantile_series", []*cel.Type{cel.StringType, cel.DoubleType}, cel.DoubleType,
			cel.BinaryBinding(func(series, q ref.Val) ref.Val {
				level := float64(q.(types.Double))
				if level < 0 || level > 1 {
					return types.NewErr("quantile %v is not from 0 to 1", level)
				}
				return apply(series, false, func(v []float64) float64 { return Quantile(v, level) })
			}))),
	}
	for name, f := range statistics {
		options = append(options, cel.Function(name, cel.Overload(name+"_series", []*cel.Type{cel.StringType}, cel.DoubleType,
			cel.UnaryBinding(func(series ref.Val) ref.Val { return apply(series, name == "count" || name == "total", f) }))))
	}
	return cel.NewEnv(options...)
}
