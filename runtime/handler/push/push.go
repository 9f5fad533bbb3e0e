// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package push tells the buyer: POST <path> with {"templateId", "to", "parameters"}.
package push

import (
	"context"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/handler/step"
	"github.com/orderflow-dev/orderflow/runtime/message"
)

// Steps returns the handler's one step, "push".
func Steps(h worker.Handler, programs step.Programs) []step.Step {
	return []step.Step{{Name: "push", Adapter: h.Push.Adapter, Build: builder{*h.Push, programs}.build}}
}

type builder struct {
	spec     worker.PushHandler
	programs step.Programs
}

func (b builder) build(ctx context.Context, m *message.Message) (step.Request, error) {
	to, err := b.programs.Text(ctx, "handler.push.toExpression", m)
	if err != nil {
		return step.Request{}, err
	}
	parameters, err := b.parameters(ctx, m)
	if err != nil {
		return step.Request{}, err
	}
	return step.Post(b.spec.Path, body{parameters, b.spec.TemplateID, to})
}

// body is the request's. Attempts of one key must be alike to the byte, over releases too: the order of its fields stays.
type body struct {
	Parameters map[string]any `json:"parameters"`
	TemplateID string         `json:"templateId"`
	To         string         `json:"to"`
}

func (b builder) parameters(ctx context.Context, m *message.Message) (map[string]any, error) {
	if program := b.programs["handler.push.parametersExpression"]; program != nil {
		return program.Map(ctx, expression.OfMessage(m))
	}
	id, err := step.OrderID(m)
	return map[string]any{"orderId": id}, err
}
