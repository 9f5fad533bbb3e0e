// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaPath = "../../docs/order-event.schema.json"

func eventSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func goodEvent() OrderEvent {
	return OrderEvent{
		EventType: OrderPaid, ID: "order-1", MemberID: "member-7", Phone: "+15550100001", Amount: 12_900, Currency: "CNY",
		PaidAt: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC), Items: []Item{{SKU: "sku-001", Quantity: 2}},
		Address: Address{Name: "A. Buyer", Country: "CN", City: "Hangzhou", Street: "1 West Lake Road"},
	}
}

func validate(t *testing.T, body []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return eventSchema(t).Validate(value)
}

func TestEventMessageMatchesItsSchema(t *testing.T) {
	msg, err := goodEvent().Message()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, msg.Body); err != nil {
		t.Errorf("the event does not match its schema: %v", err)
	}
	if msg.Keys[0] != "order-1" || msg.Tag != OrderPaid {
		t.Errorf("key %v and tag %q, want the order's id and the event's type", msg.Keys, msg.Tag)
	}
}

// TestSchemaHasTheFieldsOfTheType reads the schema as a document: what one of both does not have, users would look for in vain.
func TestSchemaHasTheFieldsOfTheType(t *testing.T) {
	file, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Required   []string                   `json:"required"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	read := func(document []byte) (o object) {
		t.Helper()
		if err := json.Unmarshal(document, &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	event := read(file)
	var items struct {
		Items json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(event.Properties["items"], &items); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of     reflect.Type
		schema object
	}{
		{reflect.TypeFor[OrderEvent](), event},
		{reflect.TypeFor[Item](), read(items.Items)},
		{reflect.TypeFor[Address](), read(event.Properties["address"])},
	} {
		fields := map[string]bool{} // whether it is always there
		for field := range c.of.Fields() {
			name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields[name] = option != "omitempty"
		}
		required := map[string]bool{}
		for name := range c.schema.Properties {
			required[name] = slices.Contains(c.schema.Required, name)
		}
		if diff := cmp.Diff(fields, required); diff != "" {
			t.Errorf("%v, fields and whether they are required (-type +schema):\n%s", c.of, diff)
		}
	}
}

func TestSchemaRefusesWhatHandlersCannotUse(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"no order id":          func(e map[string]any) { delete(e, "id") },
		"an amount in yuan":    func(e map[string]any) { e["amount"] = 129.5 },
		"a time without zone":  func(e map[string]any) { e["paidAt"] = "2026-11-23T08:30:00" },
		"a local phone number": func(e map[string]any) { e["phone"] = "138 0000 0000" },
		"nothing ordered":      func(e map[string]any) { e["items"] = []any{} },
	} {
		t.Run(name, func(t *testing.T) {
			msg, err := goodEvent().Message()
			if err != nil {
				t.Fatal(err)
			}
			var event map[string]any
			if err := json.Unmarshal(msg.Body, &event); err != nil {
				t.Fatal(err)
			}
			change(event)
			body, err := json.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			if validate(t, body) == nil {
				t.Errorf("the schema takes %s", body)
			}
		})
	}
}

func TestDocumentedEventMatchesItsSchema(t *testing.T) {
	doc, err := os.ReadFile("../../docs/order-event.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(doc)
	if example == nil {
		t.Fatal("docs/order-event.md has no JSON example")
	}
	if err := validate(t, example[1]); err != nil {
		t.Errorf("the documented example does not match the schema: %v", err)
	}
}

func TestAnEventThatHandlersCannotUseIsRefused(t *testing.T) {
	for name, change := range map[string]func(*OrderEvent){
		"no id":           func(e *OrderEvent) { e.ID = "" },
		"no type":         func(e *OrderEvent) { e.EventType = "" },
		"no items":        func(e *OrderEvent) { e.Items = nil }, // would be null, which is no list to expressions
		"an id of words":  func(e *OrderEvent) { e.ID = "order 1" },
		"a type of words": func(e *OrderEvent) { e.EventType = strings.Repeat("order paid ", 2) },
	} {
		t.Run(name, func(t *testing.T) {
			e := goodEvent()
			change(&e)
			if _, err := e.Message(); err == nil {
				t.Error("Message: no error")
			}
		})
	}
}
