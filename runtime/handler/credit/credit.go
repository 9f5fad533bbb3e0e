// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package credit credits points: POST <path> with {"memberId", "points", "orderId"}, or nothing where there are no points.
package credit

import (
	"context"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/handler/step"
	"github.com/orderflow-dev/orderflow/runtime/message"
)

// Steps returns the handler's one step, "credit".
func Steps(h worker.Handler, programs step.Programs) []step.Step {
	return []step.Step{{Name: "credit", Adapter: h.Credit.Adapter, Build: builder{*h.Credit, programs}.build}}
}

type builder struct {
	spec     worker.CreditHandler
	programs step.Programs
}

func (b builder) build(ctx context.Context, m *message.Message) (step.Request, error) {
	points, err := b.programs["handler.credit.pointsExpression"].Int(ctx, expression.OfMessage(m))
	if err != nil {
		return step.Request{}, err
	}
	if points <= 0 {
		return step.Request{}, step.ErrSkip
	}
	member, err := b.programs.Text(ctx, "handler.credit.memberExpression", m)
	if err != nil {
		return step.Request{}, err
	}
	id, err := step.OrderID(m)
	if err != nil {
		return step.Request{}, err
	}
	return step.Post(b.spec.Path, map[string]any{"memberId": member, "points": points, "orderId": id})
}
