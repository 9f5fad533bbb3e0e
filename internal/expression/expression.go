// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"context"
	"fmt"
	"time"

	"github.com/google/cel-go/cel"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	expression worker.Expression
	program    cel.Program
	written    map[string]string
}

// Compile checks an expression and makes it ready. Its error begins with the field the expression stands in and says where and what, or that it
// yields the wrong type, or that it costs too much.
func Compile(e worker.Expression) (*Program, error) {
	p, err := compile(e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Field, err)
	}
	return p, nil
}

func compile(e worker.Expression) (*Program, error) {
	env, err := environment(e.Scope)
	if err != nil {
		return nil, fmt.Errorf("preparing CEL: %w", err)
	}
	checked, issues := env.Compile(e.Source)
	if issues.Err() != nil {
		return nil, compileError(issues, e.Scope)
	}
	if err := checkType(checked.OutputType(), e.Result); err != nil {
		return nil, err
	}
	cost, err := env.EstimateCost(checked, estimate{})
	if err != nil {
		return nil, fmt.Errorf("estimating the cost: %w", err)
	}
	if cost.Max > MaxCost {
		return nil, fmt.Errorf("costs too much: up to %d units on an order with lists of %d entries, %d are allowed; avoid loops inside loops",
			cost.Max, assumedSize, MaxCost)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostTracking(actual{}), cel.CostLimit(MaxCost),
		cel.InterruptCheckFrequency(interruptEvery))
	if err != nil {
		return nil, fmt.Errorf("preparing evaluation: %w", err)
	}
	return &Program{expression: e, program: program, written: written(checked)}, nil
}

// Any evaluates the expression and returns its result as plain JSON. The error begins with the field the expression stands in; it is ctx's own
// if that ended.
func (p *Program) Any(ctx context.Context, v Variables) (any, error) {
	value, _, err := p.program.ContextEval(ctx, v)
	if err == nil {
		var result any
		if result, err = native(value); err == nil {
			if err = checkValue(result, p.expression.Result); err == nil {
				return result, nil
			}
			return nil, fmt.Errorf("%s %w", p.expression.Field, err)
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", p.expression.Field, ctx.Err())
	}
	return nil, fmt.Errorf("%s: %w", p.expression.Field, p.explain(err))
}

// String evaluates an expression compiled for StringResult.
func (p *Program) String(ctx context.Context, v Variables) (string, error) {
	return as[string](ctx, p, v)
}

// Int evaluates an expression compiled for IntResult.
func (p *Program) Int(ctx context.Context, v Variables) (int64, error) { return as[int64](ctx, p, v) }

// Bool evaluates an expression compiled for BoolResult.
func (p *Program) Bool(ctx context.Context, v Variables) (bool, error) { return as[bool](ctx, p, v) }

// Map evaluates an expression compiled for MapResult.
func (p *Program) Map(ctx context.Context, v Variables) (map[string]any, error) {
	return as[map[string]any](ctx, p, v)
}

// Time evaluates an expression compiled for TimeResult.
func (p *Program) Time(ctx context.Context, v Variables) (time.Time, error) {
	text, err := as[string](ctx, p, v)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil { // in words that quote the text
		return time.Time{}, fmt.Errorf("%s yields a string that is no time as in 2026-11-23T08:30:00Z", p.expression.Field)
	}
	return t, nil
}

func as[T any](ctx context.Context, p *Program, v Variables) (T, error) {
	var zero T
	result, err := p.Any(ctx, v)
	if err != nil {
		return zero, err
	}
	t, ok := result.(T)
	if !ok {
		return zero, fmt.Errorf("%s was compiled for %s, and is used as %T", p.expression.Field, p.expression.Result, zero)
	}
	return t, nil
}
