// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/message"
)

// OrderKey returns what tells the order key of a message, nil if no order is kept, or says what is wrong with the expression. A body that is no order has
// none: that it is not handled is said where it is handed out. It decodes the body, which is done again for the handler: decoded orders are not kept for
// messages that wait.
func OrderKey(s worker.Structure) (func(*rocketmq.Message) (string, error), error) {
	if s.OrderKeyExpression == "" {
		return nil, nil
	}
	program, err := expression.Compile(s.OrderKey())
	return func(raw *rocketmq.Message) (string, error) {
		m := message.New(raw)
		if m.Decode() != nil {
			return "", nil //nolint:nilerr // said where it is handed out
		}
		return program.String(context.Background(), expression.OfMessage(m))
	}, err
}
