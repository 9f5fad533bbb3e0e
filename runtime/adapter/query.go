// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// query asks a third party whether an earlier request had its effect.
type query struct {
	path, parameters, done, absent *expression.Program // parameters may be nil
}

// newQuery compiles the adapter's status query; nil if it has none.
func newQuery(spec worker.Adapter) (*query, error) {
	if spec.Idempotency.StatusQuery == nil {
		return nil, nil
	}
	programs, err := compile(spec.Idempotency.StatusQuery.Expressions())
	if err != nil {
		return nil, err
	}
	at := worker.StatusQueryField
	return &query{programs[at+".pathExpression"], programs[at+".parametersExpression"], programs[at+".doneExpression"], programs[at+".absentExpression"]}, nil
}

// asksFirst says whether the status query comes before the request: where an attempt went before that the third party does not know from this one, or does
// not any more; and, of a third party that may be down, always, as a query that fails has had no effect.
func (a *Adapter) asksFirst(r Request) bool {
	if a.query == nil || r.Message == nil {
		return false
	}
	contract := a.spec.Idempotency
	again := r.again()
	if contract.KeysHonoured {
		return again && contract.Window > 0 && time.Since(r.Message.BornTime()) > contract.Window.D()
	}
	return again || !contract.AcceptDuplicates && !closed(a.circuit.stamp.Load())
}

// again: an attempt went before, or may have.
func (r Request) again() bool { return r.MaybeMade || r.Message.Attempt() > 1 }

// settle asks whether an earlier request had its effect. Nil: it had none, or duplicates are accepted and nobody knows, so the request is to be made.
func (a *Adapter) settle(ctx context.Context, r Request, limits *worker.AdapterLimits) *outcome.Outcome {
	ask, err := a.query.request(ctx, r)
	if err != nil {
		return a.unasked(ctx, r, err)
	}
	p, hold := a.admit(ctx)
	if hold != nil {
		hold.Detail = a.detail(r, hold.Detail)
		return hold
	}
	ans, seen := a.send(ctx, ask, p.secret, limits)
	late := a.finish(p.ticket, ans, seen, limits.Breaker.SlowRequest.D())
	ans.fateUnknown = false // a question has no effect
	ans.detail = a.detail(ask, ans.detail)
	var o outcome.Outcome
	switch {
	case ans.result == success && ans.untouched:
		return nil
	case ans.result == success:
		o = outcome.Succeed()
	case ans.result == permanent && a.spec.Idempotency.AcceptDuplicates:
		return nil
	case ans.result == permanent:
		o = outcome.RetryLater(ans.after, FateUnknown, ans.detail)
	case (p.probe || late) && ans.result == transient:
		o = a.park(ans)
	default:
		o = a.conclude(ans)
	}
	return &o
}

// unasked is the outcome of a message of which no question can be made.
func (a *Adapter) unasked(ctx context.Context, r Request, err error) *outcome.Outcome {
	var o outcome.Outcome
	switch {
	case ctx.Err() != nil:
		o = outcome.ParkUntil(ctx.Done(), Stopping, "stopped while mapping the message")
	case a.spec.Idempotency.AcceptDuplicates || !r.again():
		return nil
	default:
		o = outcome.Kill(FateUnknown, a.detail(r, "attempted before, perhaps by another pod, and it cannot be asked what became of it: "+err.Error()))
	}
	return &o
}

// request is the question about an earlier request. It bears no key: it must be answered anew each time.
func (q *query) request(ctx context.Context, r Request) (Request, error) {
	variables := expression.OfQuery(r.Message, r.Key)
	path, err := q.path.String(ctx, variables)
	if err != nil {
		return Request{}, err
	}
	if err := CheckPath(path); err != nil {
		return Request{}, fmt.Errorf("%s.pathExpression: %w", worker.StatusQueryField, err)
	}
	if q.parameters != nil {
		parameters, err := q.parameters.Map(ctx, variables)
		if err != nil {
			return Request{}, err
		}
		values, err := encode(parameters)
		if err != nil {
			return Request{}, fmt.Errorf("%s.parametersExpression: %w", worker.StatusQueryField, err)
		}
		path += "?" + values
	}
	return Request{Step: r.Step + ".status", Method: http.MethodGet, Path: path, reader: q}, nil
}

// encode writes parameters as a query. Whatever a value contains, it stays that one's value.
func encode(parameters map[string]any) (string, error) {
	values := url.Values{}
	for name, value := range parameters {
		switch value.(type) {
		case string, bool, int64, uint64, float64:
			values.Set(name, fmt.Sprint(value))
		default:
			return "", errors.New("a parameter is no text, number or bool")
		}
	}
	return values.Encode(), nil
}

// asks: every answer is read, whatever its status: a 404 may say that there is nothing.
func (q *query) asks(int) bool { return true }

// of is what an answer tells of the effect: success, with untouched where there is none; permanent where it tells neither; else what keeps it from telling.
func (q *query) of(ctx context.Context, response *http.Response, body []byte) answer {
	variables := variablesOf(response, body)
	is := func(p *expression.Program) bool {
		yes, err := p.Bool(ctx, variables)
		return err == nil && yes // else what it asks for is not in this answer
	}
	done, absent := is(q.done), is(q.absent)
	if done != absent {
		return answer{result: success, untouched: absent}
	}
	ans := classify(response, nil, false, time.Now())
	if ans.result == success || ans.result == permanent {
		said := "neither is true"
		if done {
			said = "both are true"
		}
		ans = answer{result: permanent, reason: FateUnknown,
			detail: fmt.Sprintf("answered %d, and of doneExpression and absentExpression %s", response.StatusCode, said)}
	}
	return ans
}
