// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is a value that no error may contain.
const canary = "+8613800000000"

const orderJSON = `{"id": "o-1", "eventType": "OrderPaid", "amount": 1999, "rate": 0.5, "phone": "+8613800000000", "none": null,
	"items": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}], "address": {"city": "Berlin"}}`

type message struct{ order any }

func (m message) Order() any                  { return m.order }
func (message) ID() string                    { return "m-1" }
func (message) Topic() string                 { return "Orders" }
func (message) Tag() string                   { return "paid" }
func (message) Keys() []string                { return []string{"k1", "k2"} }
func (message) Properties() map[string]string { return map[string]string{"region": "EU"} }
func (message) BornTime() time.Time           { return time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC) }
func (message) Attempt() int                  { return 3 }
func decoded(t testing.TB, document string) any {
	t.Helper()
	order, err := DecodeJSON([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return order
}

func evaluate(t testing.TB, source string, result worker.ResultType, order string) (any, error) {
	t.Helper()
	p, err := Compile(worker.Expression{Field: "field", Source: source, Result: result, Scope: worker.MessageScope})
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return p.Any(t.Context(), OfMessage(message{decoded(t, order)}))
}

func TestResults(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		result worker.ResultType
		want   any
	}{
		"a field of the order":                 {"order.id", worker.StringResult, "o-1"},
		"integers are divided as integers":     {"order.amount / 100", worker.IntResult, int64(19)},
		"int() of an integer division":         {"int(order.amount / 100)", worker.IntResult, int64(19)},
		"int() of a double":                    {"int(order.rate * 10.0)", worker.IntResult, int64(5)},
		"a double compares with an int":        {"order.rate < 1", worker.BoolResult, true},
		"a map with values of several types":   {"{'a': order.amount, 'b': order.items.map(i, i.sku), 'c': order.none}", worker.MapResult, map[string]any{"a": int64(1999), "b": []any{"a", "b"}, "c": nil}},
		"a part of the order":                  {"order.address", worker.AnyResult, map[string]any{"city": "Berlin"}},
		"an optional field that is absent":     {"order.?zip.orValue('none')", worker.StringResult, "none"},
		"an optional entry that is absent":     {"{'city': order.address.city, ?'zip': order.address.?zip}", worker.MapResult, map[string]any{"city": "Berlin"}},
		"has of an absent field":               {"has(order.zip)", worker.BoolResult, false},
		"the message's id, topic and tag":      {"message.id + message.topic + message.tag", worker.StringResult, "m-1Orderspaid"},
		"the message's keys":                   {"message.keys[0] + string(size(message.keys))", worker.StringResult, "k12"},
		"a property":                           {"message.properties['region']", worker.StringResult, "EU"},
		"the attempt":                          {"message.attempt > 2", worker.BoolResult, true},
		"when it was sent":                     {"message.bornTime", worker.AnyResult, "2026-11-01T08:00:00Z"},
		"a duration since it was sent":         {"message.bornTime - timestamp('2026-11-01T07:00:00Z')", worker.AnyResult, "1h0m0s"},
		"strings, math and encoders are there": {"order.id.upperAscii() + string(math.greatest(1, 2)) + base64.encode(b'x')", worker.StringResult, "O-12eA=="},
		"the whole order":                      {"order", worker.AnyResult, decoded(t, orderJSON)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := evaluate(t, c.source, c.result, orderJSON)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatDoesNotCompileSaysWhereAndWhy(t *testing.T) {
	nested := "order.items.all(a, order.items.all(b, order.items.all(c, a == b && b == c)))"
	for name, c := range map[string]struct {
		expression worker.Expression
		want       string
	}{
		"an unknown variable":   {worker.Expression{Source: "ordr.phone", Result: worker.StringResult, Scope: worker.MessageScope}, "handler.x: column 1: undeclared reference to 'ordr': an expression here sees order, and message.id"},
		"an unknown attribute":  {worker.Expression{Source: "message.foo", Result: worker.StringResult, Scope: worker.MessageScope}, "an expression here sees order, and message.id"},
		"the wrong scope":       {worker.Expression{Source: "order.id", Result: worker.StringResult, Scope: worker.ResponseScope}, "an expression here sees response.status"},
		"a syntax error":        {worker.Expression{Source: "order.id +", Result: worker.StringResult, Scope: worker.MessageScope}, "handler.x: column 11: Syntax error"},
		"an error further down": {worker.Expression{Source: "order.id +\n  foo", Result: worker.StringResult, Scope: worker.MessageScope}, "handler.x: line 2, column 3: undeclared"},
		"a wrong type":          {worker.Expression{Source: "message.attempt", Result: worker.StringResult, Scope: worker.MessageScope}, "handler.x: yields int, not string: wrap it in string(...)"},
		"no bool":               {worker.Expression{Source: "'true'", Result: worker.BoolResult, Scope: worker.MessageScope}, "handler.x: yields string, not bool: compare it"},
		"a list for a map":      {worker.Expression{Source: "[1]", Result: worker.MapResult, Scope: worker.MessageScope}, "handler.x: yields list(int), not map"},
		"loops inside loops":    {worker.Expression{Source: nested, Result: worker.BoolResult, Scope: worker.MessageScope}, "handler.x: costs too much"},
		"a number for a time":   {worker.Expression{Source: "message.attempt", Result: worker.TimeResult, Scope: worker.MessageScope}, "handler.x: yields int, not timestamp: wrap it in timestamp(...)"},
		"a bad regex":           {worker.Expression{Source: "order.id.matches('(')", Result: worker.BoolResult, Scope: worker.MessageScope}, "handler.x: column 18: invalid matches argument"},
		"replace":               {worker.Expression{Source: "order.id.replace('a', 'b')", Result: worker.StringResult, Scope: worker.MessageScope}, "undeclared reference to 'replace'"},
		"join":                  {worker.Expression{Source: "message.keys.join()", Result: worker.StringResult, Scope: worker.MessageScope}, "undeclared reference to 'join'"},
		"format":                {worker.Expression{Source: "'%s'.format([order.id])", Result: worker.StringResult, Scope: worker.MessageScope}, "undeclared reference to 'format'"},
	} {
		t.Run(name, func(t *testing.T) {
			c.expression.Field = "handler.x"
			_, err := Compile(c.expression)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant it to contain %q", err, c.want)
			}
		})
	}
}

func TestWhatCannotBeEvaluatedSaysWhyWithoutAnyValue(t *testing.T) {
	long := `{"s": "` + strings.Repeat("x", 500_000) + `", "phone": "+8613800000000", "items": [` + strings.Repeat("{},", 5000) + `{}]}`
	for name, c := range map[string]struct {
		source, order string
		result        worker.ResultType
		want          string
	}{
		"an absent field":                               {"order.address.zip", orderJSON, worker.StringResult, "field: order.address.zip is missing"},
		"an absent field in two places":                 {"order.zip + order.address.zip", orderJSON, worker.StringResult, "field: zip is missing"},
		"an absent property":                            {"message.properties['plan']", orderJSON, worker.StringResult, "field: plan is missing"},
		"a name that is a value":                        {"order[order.phone]", orderJSON, worker.StringResult, "field: a field is missing"},
		"an unexpected null":                            {"order.none", orderJSON, worker.StringResult, "field yields null, not string: wrap it in string(...)"},
		"an unexpected double":                          {"order.rate", orderJSON, worker.IntResult, "field yields double, not int: wrap it in int(...)"},
		"an operand of the wrong type":                  {"order.phone * 2", orderJSON, worker.AnyResult, "field: an operator or function got a value of a type it does not take"},
		"a conversion that fails":                       {"int(order.phone + 'x')", orderJSON, worker.IntResult, "field: a value could not be converted or has an unexpected form"},
		"a timestamp that is none":                      {"timestamp(order.phone)", orderJSON, worker.AnyResult, "field: a value could not be converted or has an unexpected form"},
		"a pattern from the order":                      {"'x'.matches('(' + order.phone)", orderJSON, worker.BoolResult, "field: a value could not be converted or has an unexpected form"},
		"division by zero":                              {"order.amount / 0", orderJSON, worker.IntResult, "field: division by zero"},
		"an index beyond the list":                      {"order.items[7].sku", orderJSON, worker.StringResult, "field: a list has no entry of that index"},
		"an order that is no object":                    {"order.id", "[1, 2]", worker.StringResult, "field: an operator or function got a value of a type it does not take"},
		"map keys that are no strings":                  {"{1: 'a'}", orderJSON, worker.MapResult, "field: the keys of a map must be strings"},
		"a number that is not finite":                   {"1.0 / 0.0", orderJSON, worker.AnyResult, "field: a number of the result is not finite, which JSON cannot express"},
		"a list that multiplies the order":              {"order.items.map(i, order.items)", long, worker.AnyResult, "field: the result is too large"},
		"an order compared with itself again and again": {"order.items.all(i, order == order)", long, worker.BoolResult, "field: costs too much on this message"},
		"texts that grow beyond the cost":               {"order.items.all(i, order.s + order.s != '')", long, worker.BoolResult, "field: costs too much on this message"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evaluate(t, c.source, c.result, c.order)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got %v\nwant %q", err, c.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error contains a value of the order: %v", err)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	const unreadable = "field yields a string that is no time as in 2026-11-23T08:30:00Z"
	const order = `{"utc": "2026-11-23T08:30:00Z", "zone": "2026-11-23T16:30:00.5+08:00", "naive": "2026-11-23T08:30:00", "seconds": 1795422600, "phone": "+8613800000000", "none": null}`
	for name, c := range map[string]struct{ source, want, err string }{
		"a string":                         {"order.utc", "2026-11-23T08:30:00Z", ""},
		"a string with a zone":             {"order.zone", "2026-11-23T08:30:00.5Z", ""},
		"a timestamp":                      {"timestamp(order.utc) - duration('30m')", "2026-11-23T08:00:00Z", ""},
		"seconds since 1970":               {"timestamp(order.seconds)", "2026-11-23T08:30:00Z", ""},
		"when it was sent":                 {"message.bornTime", "2026-11-01T08:00:00Z", ""},
		"a property, which is no time":     {"message.properties['region']", "", unreadable},
		"a time without a zone":            {"order.naive", "", unreadable},
		"a value nobody may see":           {"order.phone", "", unreadable},
		"a number":                         {"order.seconds", "", "field yields int, not timestamp: wrap it in timestamp(...)"},
		"null":                             {"order.none", "", "field yields null, not timestamp: wrap it in timestamp(...)"},
		"an absent field":                  {"order.paidAt", "", "field: order.paidAt is missing"},
		"the first of several that exists": {"order.?paidAt.orValue(string(message.bornTime))", "2026-11-01T08:00:00Z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Compile(worker.Expression{Field: "field", Source: c.source, Result: worker.TimeResult, Scope: worker.MessageScope})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Time(t.Context(), OfMessage(message{decoded(t, order)}))
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("got %v\nwant %q", err, c.err)
				}
				return
			}
			if text := got.UTC().Format(time.RFC3339Nano); err != nil || text != c.want {
				t.Errorf("got %s, %v, want %s", text, err, c.want)
			}
		})
	}
}

func TestEvaluationEndsWithItsContext(t *testing.T) {
	p, err := Compile(worker.Expression{Field: "f", Source: "order.all(i, i >= 0)", Result: worker.BoolResult, Scope: worker.MessageScope})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	list := "[" + strings.Repeat("1,", 10_000) + "1]"
	if _, err := p.Bool(ctx, OfMessage(message{decoded(t, list)})); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestResponses(t *testing.T) {
	for name, c := range map[string]struct {
		source, body string
		want         bool
	}{
		"a code in the body":      {"response.body.code == 'OK'", `{"code": "OK"}`, true},
		"another code":            {"response.body.code == 'OK'", `{"code": "NO"}`, false},
		"a number in the body":    {"response.body.code == 0", `{"code": 0}`, true},
		"the status":              {"response.status in [200, 202]", `null`, true},
		"a header":                {"response.headers['x-result'] == 'ok'", `null`, true},
		"a body that is not JSON": {"response.body == null || response.body.code == 'OK'", `null`, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Compile(worker.Expression{Field: "f", Source: c.source, Result: worker.BoolResult, Scope: worker.ResponseScope})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Bool(t.Context(), OfResponse(Response{Status: 200, Headers: func() map[string]string { return map[string]string{"x-result": "ok"} }, Body: decoded(t, c.body)}))
			if err != nil || got != c.want {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}
