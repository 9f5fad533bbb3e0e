// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/internal/cloudevent"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const structured = "application/cloudevents+json; charset=UTF-8"

// properties are written as name=value.
func properties(list ...string) []rocketmq.Field {
	var fields []rocketmq.Field
	for _, item := range list {
		name, value, _ := strings.Cut(item, "=")
		fields = append(fields, rocketmq.Field{Name: name, Value: value})
	}
	return fields
}

func TestTheDataOfACloudEventIsTheOrder(t *testing.T) {
	const order = `{"id": "o1", "amount": 5}`
	binary := []string{"CE_specversion=1.0", "CE_id=e1", "CE_source=/shop", "CE_type=OrderPaid", "UNIQ_KEY=U"}
	for name, c := range map[string]struct {
		body       string
		properties []string
		sent       string // the body of a request that sends the order as it came
	}{
		"binary, as the Java SDK writes it": {order, append(binary, "CE_contenttype=application/json"), order},
		"binary, without a content type":    {order, binary, order},
		"binary, in lower case":             {order, []string{"ce_specversion=1.0", "ce_id=e1", "ce_source=/shop", "ce_type=OrderPaid", "content-type=application/vnd.shop+json"}, order},
		"structured": {
			`{"specversion":"1.0","id":"e1","source":"/shop","type":"OrderPaid","data":` + order + `}`, []string{"CE_contentType=" + structured}, order,
		},
		"structured, in base64": {
			`{"specversion":"1.0","id":"e1","source":"/shop","type":"OrderPaid","data_base64":"eyJpZCI6ICJvMSIsICJhbW91bnQiOiA1fQ=="}`,
			[]string{"content-type=" + structured}, order,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(raw(t, c.body, properties(c.properties...)...))
			if err := m.Decode(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]any{"id": "o1", "amount": int64(5)}, m.Order()); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if got := string(m.Body()); got != c.sent {
				t.Errorf("body %s, want the data as it was sent, %s", got, c.sent)
			}
			if key, err := m.BusinessKey(t.Context(), nil); err != nil || !slices.Equal(key, []string{"o1", "OrderPaid"}) {
				t.Errorf("business key %q, %v; want the order's id and the event's type", key, err)
			}
			got := m.Properties()
			if got["ce_type"] != "OrderPaid" || got["ce_source"] != "/shop" || got["ce_id"] != "e1" {
				t.Errorf("properties %v, want the attributes by their names", got)
			}
		})
	}
}

func TestAnEventWithoutAnOrdersIDIsKnownByItsSourceAndID(t *testing.T) {
	event := properties("ce_specversion=1.0", "ce_id=e1", "ce_source=/shop", "ce_type=StockCounted", "UNIQ_KEY=U")
	if key, err := New(raw(t, `{}`, event...)).BusinessKey(t.Context(), nil); err != nil || !slices.Equal(key, []string{"/shop", "e1"}) {
		t.Errorf("business key %q, %v", key, err)
	}
	own := New(raw(t, `{"id": "o1", "eventType": "Paid"}`, event...))
	if key, err := own.BusinessKey(t.Context(), nil); err != nil || !slices.Equal(key, []string{"o1", "Paid"}) {
		t.Errorf("business key %q, %v; want the order's own event type, as without an event around it", key, err)
	}
}

func TestWhatOnlyLooksLikeACloudEventIsAnOrder(t *testing.T) {
	const body = `{"specversion":"1.0","id":"e1","source":"/shop","type":"OrderPaid","data":{}}`
	m := New(raw(t, body, properties("content-type=application/json", "ce_type=x")...))
	if id, ok := m.Field("id"); !ok || id != "e1" || string(m.Body()) != body {
		t.Errorf("id %v, body %s; want the body itself: no property calls it a CloudEvent", id, m.Body())
	}
}

func TestACloudEventThatCannotBeUsedSaysWhy(t *testing.T) {
	binary := []string{"ce_specversion=1.0", "ce_id=canary", "ce_source=canary", "ce_type=canary"}
	document := func(members string) string {
		return `{"specversion":"1.0","id":"canary","source":"canary","type":"canary"` + members + `}`
	}
	for name, c := range map[string]struct {
		body       string
		properties []string
		want       string
	}{
		"no id":                      {`{}`, []string{"ce_specversion=1.0", "ce_source=canary", "ce_type=canary"}, "its id is missing"},
		"no source":                  {`{"specversion":"1.0","id":"canary"}`, []string{"content-type=" + structured}, "its source is missing"},
		"an earlier version":         {`{}`, []string{"ce_specversion=0.3", "ce_id=canary"}, "its specversion is not 1.0"},
		"an image":                   {`{}`, append(binary, "ce_contenttype=image/png"), "not JSON, says its content type"},
		"text in a document":         {document(`,"datacontenttype":"text/plain","data":"canary"`), []string{"content-type=" + structured}, "not JSON, says its datacontenttype"},
		"a batch":                    {`[]`, []string{"content-type=application/cloudevents-batch+json"}, "one event in each message"},
		"another format":             {`{}`, []string{"content-type=application/cloudevents+avro"}, "only the format application/cloudevents+json"},
		"a list":                     {`["canary"]`, []string{"content-type=" + structured}, "the body is no object"},
		"no data":                    {document(``), []string{"content-type=" + structured}, "it has no data"},
		"data twice":                 {document(`,"data":1,"data_base64":"MQ=="`), []string{"content-type=" + structured}, "both data and data_base64"},
		"data that is not base64":    {document(`,"data_base64":"canary!"`), []string{"content-type=" + structured}, "is not base64"},
		"base64 that is not JSON":    {document(`,"data_base64":"Y2FuYXJ5"`), []string{"content-type=" + structured}, "its data: it is not JSON at byte 0"},
		"an attribute of attributes": {document(`,"canary":{},"data":1`), []string{"content-type=" + structured}, "neither a text nor an integer nor a boolean"},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(raw(t, c.body, properties(c.properties...)...))
			err := m.Decode()
			if !errors.Is(err, cloudevent.ErrUnusable) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v, want cloudevent.ErrUnusable with %q and nothing of the event", err, c.want)
			}
			if m.Order() != nil {
				t.Error("there is an order all the same")
			}
		})
	}
}

// FuzzMessage looks for bodies and properties that panic, and for orders that differ from what is passed on as the order.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"id":"o1","eventType":"OrderPaid"}`), "", "")
	f.Add([]byte(`{"id":"o1"}`), "1.0", "application/json")
	f.Add([]byte(`{"specversion":"1.0","id":"e","source":"s","type":"t","data":{"id":1}}`), "", structured)
	f.Add([]byte(`{"specversion":"1.0","id":"e","source":"s","type":"t","data":1,"Data":2,"x":true}`), "", structured)
	f.Fuzz(func(t *testing.T, body []byte, version, contentType string) {
		event := []rocketmq.Field{{Name: "ce_specversion", Value: version}, {Name: "CE_id", Value: "e"}, {Name: "ce_source", Value: "s"}, {Name: "ce_type", Value: "t"}}
		if version == "" {
			event = nil
		}
		m := &rocketmq.Message{Topic: "Orders", Body: body}
		encoded, err := rocketmq.EncodeProperties(append(event, rocketmq.Field{Name: "content-type", Value: contentType}))
		if err != nil {
			t.Skip(err)
		}
		m.SetProperties(encoded)
		got := New(m)
		if got.Decode() != nil {
			return
		}
		if _, err := got.BusinessKey(t.Context(), nil); err != nil {
			t.Error(err)
		}
		again, err := expression.DecodeJSON(got.Body())
		if err != nil {
			t.Fatalf("the order is passed on as what cannot be decoded: %v", err)
		}
		if diff := cmp.Diff(got.Order(), again); diff != "" {
			t.Errorf("the order differs from what is passed on:\n%s", diff)
		}
	})
}
