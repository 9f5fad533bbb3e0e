// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/handler"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// TooLate is Expired: the message is older than it may be to be of use.
const TooLate outcome.Reason = "TooLate"

// expiry is the age beyond which a message is not handled any more. The zero expiry is none.
type expiry struct {
	after time.Duration
	since *expression.Program // nil: nothing expires
	clock func() (now time.Time, certain bool)
}

func newExpiry(spec *worker.Expiry, clock func() (time.Time, bool)) (expiry, error) {
	if spec == nil {
		return expiry{}, nil
	}
	since, err := expression.Compile(spec.Expression())
	return expiry{after: spec.After.D(), since: since, clock: clock}, err
}

// passed is the outcome of a message that is too old, or whose age cannot be told; false if it is to be handled. A clock known to be wrong judges nobody:
// what is handled too late is a nuisance, what is dropped in time is lost.
func (e expiry) passed(ctx context.Context, m *message.Message) (outcome.Outcome, bool) {
	if e.since == nil {
		return outcome.Outcome{}, false
	}
	since, err := e.since.Time(ctx, expression.OfMessage(m))
	if err != nil {
		return handler.Unmapped(ctx, err), true
	}
	now, certain := e.clock()
	age := now.Sub(since)
	if age <= e.after || !certain {
		return outcome.Outcome{}, false
	}
	return outcome.Expire(TooLate, fmt.Sprintf("%v after the time of expiry.sinceExpression, with expiry.after %v", age.Truncate(time.Second), e.after)), true
}
