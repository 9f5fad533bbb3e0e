// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package http makes any request, step by step, as the user wrote it in CEL.
package http

import (
	"context"
	"fmt"
	"net/http"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/handler/step"
	"github.com/orderflow-dev/orderflow/runtime/message"
)

// Steps returns the handler's steps under their own names.
func Steps(h worker.Handler, programs step.Programs) []step.Step {
	var steps []step.Step
	for i, spec := range h.HTTP.Steps {
		b := builder{spec: spec, programs: programs, at: fmt.Sprintf("handler.http.steps[%d].", i)}
		steps = append(steps, step.Step{Name: spec.Name, Adapter: spec.Adapter, Build: b.build})
	}
	return steps
}

type builder struct {
	spec     worker.HTTPStep
	programs step.Programs
	// at is the path to the step's fields.
	at string
}

func (b builder) build(ctx context.Context, m *message.Message) (step.Request, error) {
	if when := b.programs[b.at+"whenExpression"]; when != nil {
		if wanted, err := when.Bool(ctx, expression.OfMessage(m)); err != nil {
			return step.Request{}, err
		} else if !wanted {
			return step.Request{}, step.ErrSkip
		}
	}
	target, err := b.path(ctx, m)
	if err != nil {
		return step.Request{}, err
	}
	request, err := b.body(ctx, m)
	request.Method, request.Path, request.PathMapped = b.spec.Method, target, b.programs[b.at+"pathExpression"] != nil
	return request, err
}

// body is the user's, or the order as it was sent.
func (b builder) body(ctx context.Context, m *message.Message) (step.Request, error) {
	if program := b.programs[b.at+"bodyExpression"]; program != nil {
		body, err := program.Any(ctx, expression.OfMessage(m))
		if err != nil {
			return step.Request{}, err
		}
		return step.Post("", body)
	}
	if b.spec.Method == http.MethodGet || b.spec.Method == http.MethodDelete {
		return step.Request{}, nil
	}
	return step.Request{Body: m.Body()}, nil
}

func (b builder) path(ctx context.Context, m *message.Message) (string, error) {
	field := b.at + "pathExpression"
	if b.programs[field] == nil {
		return b.spec.Path, nil
	}
	target, err := b.programs.Text(ctx, field, m)
	if err == nil {
		if err = adapter.CheckPath(target); err != nil {
			err = fmt.Errorf("%s: %w", field, err)
		}
	}
	return target, err
}
