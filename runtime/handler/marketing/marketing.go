// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package marketing grants a coupon of a campaign: POST <path> with {"campaignId", "memberId", "orderId"}.
package marketing

import (
	"context"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/handler/step"
	"github.com/orderflow-dev/orderflow/runtime/message"
)

// Steps returns the handler's one step, "marketing".
func Steps(h worker.Handler, programs step.Programs) []step.Step {
	return []step.Step{{Name: "marketing", Adapter: h.Marketing.Adapter, Build: builder{*h.Marketing, programs}.build}}
}

type builder struct {
	spec     worker.MarketingHandler
	programs step.Programs
}

func (b builder) build(ctx context.Context, m *message.Message) (step.Request, error) {
	member, err := b.programs.Text(ctx, "handler.marketing.memberExpression", m)
	if err != nil {
		return step.Request{}, err
	}
	id, err := step.OrderID(m)
	if err != nil {
		return step.Request{}, err
	}
	return step.Post(b.spec.Path, map[string]any{"campaignId": b.spec.CampaignID, "memberId": member, "orderId": id})
}
