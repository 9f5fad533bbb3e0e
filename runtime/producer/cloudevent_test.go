// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/message"
)

// received is a message as a worker sees it.
func received(t *testing.T, msg Message) *message.Message {
	t.Helper()
	fields := rocketmq.Fields{{Name: rocketmq.PropertyUniqueKey, Value: "U"}}
	for name, value := range msg.Properties {
		fields = append(fields, rocketmq.Field{Name: name, Value: value})
	}
	encoded, err := rocketmq.EncodeProperties(fields)
	if err != nil {
		t.Fatal(err)
	}
	raw := &rocketmq.Message{Topic: "Orders", Body: msg.Body}
	raw.SetProperties(encoded)
	return message.New(raw)
}

// FuzzOrderEvent sends whatever is an order event in all three forms: handlers must see one order and one business key.
func FuzzOrderEvent(f *testing.F) {
	good, err := json.Marshal(goodEvent())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "/shop")
	f.Add([]byte(`{"eventType":"OrderPaid","id":"1","phone":" ","items":[{"quantity":-1}]}`), "urn:shop")
	f.Fuzz(func(t *testing.T, document []byte, source string) {
		var order OrderEvent
		if json.Unmarshal(document, &order) != nil {
			return
		}
		plain, err := order.Message()
		if err != nil {
			return
		}
		event, err := order.CloudEvent(source)
		if err != nil {
			t.Fatalf("the order has a message but no event: %v", err)
		}
		forms := []Message{plain}
		for _, form := range []func() (Message, error){event.Binary, event.Structured} {
			// A source may be what no property can be.
			if msg, err := form(); err == nil {
				forms = append(forms, msg)
			}
		}
		want := received(t, plain)
		if err := want.Decode(); err != nil {
			t.Fatalf("an order event cannot be read by a worker: %v", err)
		}
		for _, form := range forms[1:] {
			got := received(t, form)
			if diff := cmp.Diff(want.Order(), got.Order()); diff != "" || got.Decode() != nil {
				t.Errorf("%v, order (-plain +event):\n%s", got.Decode(), diff)
			}
			a, _ := want.BusinessKey(t.Context(), nil)
			if b, err := got.BusinessKey(t.Context(), nil); err != nil || !cmp.Equal(a, b) {
				t.Errorf("business key %q, %v; want %q as in the plain message", b, err, a)
			}
		}
	})
}

func TestACloudEventBearsItsAttributesInBothModes(t *testing.T) {
	event, err := goodEvent().CloudEvent("/shop")
	if err != nil {
		t.Fatal(err)
	}
	event.Extensions = map[string]string{"region": "eu"}
	event.DataSchema = "https://example.com/order.json"
	want := map[string]string{
		"ce_specversion": "1.0", "ce_id": "OrderPaid/order-1", "ce_source": "/shop", "ce_type": "OrderPaid", "ce_subject": "order-1",
		"ce_time": goodEvent().PaidAt.Format(time.RFC3339), "ce_region": "eu", "ce_dataschema": "https://example.com/order.json",
	}
	for name, form := range map[string]func() (Message, error){"binary": event.Binary, "structured": event.Structured} {
		t.Run(name, func(t *testing.T) {
			msg, err := form()
			if err != nil {
				t.Fatal(err)
			}
			if msg.Tag != OrderPaid || !cmp.Equal(msg.Keys, []string{"order-1"}) {
				t.Errorf("tag %q and keys %q, want those of the plain message", msg.Tag, msg.Keys)
			}
			m := received(t, msg)
			for attribute, value := range want {
				if got := m.Properties()[attribute]; got != value {
					t.Errorf("%s is %q, want %q", attribute, got, value)
				}
			}
			if err := validate(t, m.Body()); err != nil {
				t.Errorf("the event's data does not match the order event's schema: %v", err)
			}
		})
	}
}

func TestACloudEventThatIsNoneIsRefused(t *testing.T) {
	good := CloudEvent{ID: "1", Source: "/shop", Type: "t", Data: []byte("{}")}
	for want, change := range map[string]func(*CloudEvent){
		"id, source and type are needed": func(e *CloudEvent) { e.Source = "" },
		"no JSON document":               func(e *CloudEvent) { e.Data = []byte("{") },
		`extension "data"`:               func(e *CloudEvent) { e.Extensions = map[string]string{"data": "x"} },
		`extension "type"`:               func(e *CloudEvent) { e.Extensions = map[string]string{"type": "x"} },
		`extension "Region"`:             func(e *CloudEvent) { e.Extensions = map[string]string{"Region": "x"} },
		"ID and tag cannot have white":   func(e *CloudEvent) { e.Type = "order paid" },
	} {
		event := good
		change(&event)
		for _, form := range []func() (Message, error){event.Binary, event.Structured} {
			if _, err := form(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error with %q", err, want)
			}
		}
	}
}
