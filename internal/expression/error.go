// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/interpreter"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// compileError is CEL's first complaint, with its place.
func compileError(issues *cel.Issues, scope worker.Scope) error {
	first := issues.Errors()[0]
	place := fmt.Sprintf("column %d", first.Location.Column()+1)
	if first.Location.Line() > 1 {
		place = fmt.Sprintf("line %d, %s", first.Location.Line(), place)
	}
	text := strings.TrimSuffix(first.Message, " (in container '')")
	if strings.HasPrefix(text, "undeclared reference") {
		text += ": an expression here sees " + names(scope)
	}
	return fmt.Errorf("%s: %s", place, text)
}

func names(scope worker.Scope) string {
	if scope == worker.ResponseScope {
		return "response.status, response.headers and response.body"
	}
	if scope == worker.QueryScope {
		return "key, order, and message.id, topic, tag, keys, properties, bornTime and attempt"
	}
	return "order, and message.id, topic, tag, keys, properties, bornTime and attempt"
}

// written maps the fields and texts that stand in an expression to how to name them: only these may appear in errors, as all other names come
// from the order. A field is named by its path, as in order.address.city, unless it stands there in several.
func written(checked *cel.Ast) map[string]string {
	paths := map[string]string{}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			field := e.AsSelect().FieldName()
			path := pathOf(e)
			if other, twice := paths[field]; twice && other != path {
				path = field
			}
			paths[field] = path
		case ast.LiteralKind:
			if text, ok := e.AsLiteral().Value().(string); ok && paths[text] == "" {
				paths[text] = text
			}
		}
	}))
	return paths
}

func pathOf(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent()
	case ast.SelectKind:
		if operand := pathOf(e.AsSelect().Operand()); operand != "" {
			return operand + "." + e.AsSelect().FieldName()
		}
		return e.AsSelect().FieldName()
	}
	return ""
}

// vocabulary is all that is said of an evaluation's errors, by how they begin. CEL's own words may contain values.
var vocabulary = []struct{ prefix, say string }{
	{"no such overload", "an operator or function got a value of a type it does not take"},
	{"unsupported index type", "an operator or function got a value of a type it does not take"},
	{"division by zero", "division by zero"},
	{"modulus by zero", "division by zero"},
	{"integer overflow", "a number is too large"},
	{"unsigned integer overflow", "a number is too large"},
	{"index", "a list has no entry of that index"},
	{tooLarge, tooLarge},
	{"the keys of a map", "the keys of a map must be strings"},
	{"a number of the result", "a number of the result is not finite, which JSON cannot express"},
	{"a value of type", "a part of the result cannot be sent as JSON"},
}

const missing = "no such key: "

func (p *Program) explain(err error) error {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded {
		return fmt.Errorf("costs too much on this message: more than %d units", MaxCost)
	}
	text := err.Error()
	if key, ok := strings.CutPrefix(text, missing); ok {
		if path := p.written[key]; path != "" {
			return fmt.Errorf("%s is missing", path)
		}
		return errors.New("a field is missing")
	}
	for _, v := range vocabulary {
		if strings.HasPrefix(text, v.prefix) {
			return errors.New(v.say)
		}
	}
	return errors.New("a value could not be converted or has an unexpected form")
}
