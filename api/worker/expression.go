// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import "fmt"

// ResultType is the type the result of an expression must have.
type ResultType string

// The result types. TimeResult is a timestamp, or a string as RFC 3339 has it; AnyResult is whatever JSON can express.
const (
	StringResult ResultType = "string"
	IntResult    ResultType = "int"
	BoolResult   ResultType = "bool"
	MapResult    ResultType = "map"
	TimeResult   ResultType = "timestamp"
	AnyResult    ResultType = "any"
)

// Scope names the variables an expression may use.
type Scope string

// The scopes.
const (
	// MessageScope has `order`, the decoded JSON body, and `message`, its RocketMQ attributes.
	MessageScope Scope = "message"
	// QueryScope has what MessageScope has, and `key`, the idempotency key.
	QueryScope Scope = "query"
	// ResponseScope has `response`: status, headers and body.
	ResponseScope Scope = "response"
)

// Expression is one CEL expression of a user: where it stands, what it says, and what it has to yield. The operator compiles them all before
// it writes a Structure, the worker at its start: both from this one list.
type Expression struct {
	// Field is the path below the spec the expression stands in, as a user would look for it: "handler.push.toExpression".
	Field  string
	Source string
	Result ResultType
	Scope  Scope
}

// Expressions lists the handler's expressions; empty ones are left out.
func (h Handler) Expressions() []Expression {
	var list expressions
	list.add("handler.whenExpression", h.WhenExpression, BoolResult)
	if p := h.Push; p != nil {
		list.add("handler.push.toExpression", p.ToExpression, StringResult)
		list.add("handler.push.parametersExpression", p.ParametersExpression, MapResult)
	}
	if w := h.Warehouse; w != nil {
		for i, step := range w.Steps {
			list.add(fmt.Sprintf("handler.warehouse.steps[%d].bodyExpression", i), step.BodyExpression, MapResult)
		}
	}
	if c := h.Credit; c != nil {
		list.add("handler.credit.memberExpression", c.MemberExpression, StringResult)
		list.add("handler.credit.pointsExpression", c.PointsExpression, IntResult)
	}
	if m := h.Marketing; m != nil {
		list.add("handler.marketing.memberExpression", m.MemberExpression, StringResult)
	}
	if hh := h.HTTP; hh != nil {
		for i, step := range hh.Steps {
			at := fmt.Sprintf("handler.http.steps[%d].", i)
			list.add(at+"pathExpression", step.PathExpression, StringResult)
			list.add(at+"bodyExpression", step.BodyExpression, AnyResult)
			list.add(at+"whenExpression", step.WhenExpression, BoolResult)
		}
	}
	return list
}

// Expressions lists the expressions of the group: the handler's and its own. Those of its adapters are the adapters'.
func (s Structure) Expressions() []Expression {
	list := expressions(s.Handler.Expressions())
	if s.OrderKeyExpression != "" {
		list = append(list, s.OrderKey())
	}
	list.add("idempotency.keyExpression", s.KeyExpression, StringResult)
	if s.Expiry != nil {
		list = append(list, s.Expiry.Expression())
	}
	return list
}

// OrderKey is the expression whose equal results are handled in order.
func (s Structure) OrderKey() Expression {
	return Expression{Field: "consume.orderKeyExpression", Source: s.OrderKeyExpression, Result: StringResult, Scope: MessageScope}
}

// Expression is what age is counted from.
func (e Expiry) Expression() Expression {
	return Expression{Field: "expiry.sinceExpression", Source: e.SinceExpression, Result: TimeResult, Scope: MessageScope}
}

// Expressions lists the adapter's expressions.
func (a Adapter) Expressions() []Expression {
	list := a.ResponseExpressions()
	if query := a.Idempotency.StatusQuery; query != nil {
		list = append(list, query.Expressions()...)
	}
	return list
}

// StatusQueryField is the path of an adapter's status query below its spec.
const StatusQueryField = "idempotency.statusQuery"

// Expressions lists the query's expressions.
func (q StatusQuery) Expressions() []Expression {
	list := []Expression{
		{StatusQueryField + ".pathExpression", q.PathExpression, StringResult, QueryScope},
		{StatusQueryField + ".doneExpression", q.DoneExpression, BoolResult, ResponseScope},
		{StatusQueryField + ".absentExpression", q.AbsentExpression, BoolResult, ResponseScope},
	}
	if q.ParametersExpression != "" {
		list = append(list, Expression{StatusQueryField + ".parametersExpression", q.ParametersExpression, MapResult, QueryScope})
	}
	return list
}

// ResponseExpressions lists those of the adapter's expressions that say what an answer to a step's request means.
func (a Adapter) ResponseExpressions() []Expression {
	var list []Expression
	if a.SuccessExpression != "" {
		list = append(list, Expression{SuccessField, a.SuccessExpression, BoolResult, ResponseScope})
	}
	for i, rule := range a.ResponseRules {
		list = append(list, Expression{RuleField(i) + ".whenExpression", rule.WhenExpression, BoolResult, ResponseScope})
	}
	return list
}

// SuccessField is the path of an adapter's success expression below its spec.
const SuccessField = "response.successExpression"

// RuleField is the path of an adapter's i-th response rule.
func RuleField(i int) string { return fmt.Sprintf("response.rules[%d]", i) }

type expressions []Expression

func (l *expressions) add(field, source string, result ResultType) {
	if source != "" {
		*l = append(*l, Expression{Field: field, Source: source, Result: result, Scope: MessageScope})
	}
}
