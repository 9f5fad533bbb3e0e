// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package warehouse orders waybill and shipment, step by step: POST <path> with {"action", "orderId", "items", "address"}, or the body the user wrote.
package warehouse

import (
	"context"
	"fmt"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/handler/step"
	"github.com/orderflow-dev/orderflow/runtime/message"
)

// Steps returns the handler's steps under their own names.
func Steps(h worker.Handler, programs step.Programs) []step.Step {
	var steps []step.Step
	for i, spec := range h.Warehouse.Steps {
		b := builder{spec, programs[fmt.Sprintf("handler.warehouse.steps[%d].bodyExpression", i)]}
		steps = append(steps, step.Step{Name: spec.Name, Adapter: spec.Adapter, Build: b.build})
	}
	return steps
}

type builder struct {
	spec worker.WarehouseStep
	body *expression.Program
}

func (b builder) build(ctx context.Context, m *message.Message) (step.Request, error) {
	if b.body != nil {
		body, err := b.body.Map(ctx, expression.OfMessage(m))
		if err != nil {
			return step.Request{}, err
		}
		return step.Post(b.spec.Path, body)
	}
	id, err := step.OrderID(m)
	if err != nil {
		return step.Request{}, err
	}
	body := map[string]any{"action": b.spec.Action, "orderId": id}
	for _, name := range []string{"items", "address"} {
		if value, ok := m.Field(name); ok {
			body[name] = value
		}
	}
	return step.Post(b.spec.Path, body)
}
