// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func raw(t *testing.T, body string, properties ...rocketmq.Field) *rocketmq.Message {
	t.Helper()
	m := &rocketmq.Message{Topic: "Orders", Body: []byte(body), Born: 1_700_000_000_000, PhysicalOffset: 7}
	encoded, err := rocketmq.EncodeProperties(properties)
	if err != nil {
		t.Fatal(err)
	}
	m.SetProperties(encoded)
	return m
}

func TestWhatAMessageTells(t *testing.T) {
	m := raw(t, "{}", rocketmq.Field{Name: "KEYS", Value: "a  b"}, rocketmq.Field{Name: "TAGS", Value: "paid"}, rocketmq.Field{Name: "region", Value: "EU"})
	m.Reconsumed = 2
	got := New(m)
	if got.Topic() != "Orders" || got.Tag() != "paid" || !slices.Equal(got.Keys(), []string{"a", "b"}) || got.Attempt() != 3 {
		t.Errorf("got topic %q, tag %q, keys %q, attempt %d", got.Topic(), got.Tag(), got.Keys(), got.Attempt())
	}
	if want := time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC); got.BornTime() != want {
		t.Errorf("born at %v, want %v", got.BornTime(), want)
	}
	if diff := cmp.Diff(map[string]string{"KEYS": "a  b", "TAGS": "paid", "region": "EU"}, got.Properties()); diff != "" {
		t.Error(diff)
	}
}

func TestTheIdentityStaysTheSameOverRetries(t *testing.T) {
	unique := rocketmq.Field{Name: rocketmq.PropertyUniqueKey, Value: "U"}
	origin := rocketmq.Field{Name: rocketmq.PropertyOriginID, Value: "O"}
	for name, c := range map[string]struct {
		properties []rocketmq.Field
		want       string
	}{
		"with the sender's id":            {[]rocketmq.Field{unique}, "U"},
		"sent back, with the sender's id": {[]rocketmq.Field{origin, unique}, "U"},
		"sent back, without":              {[]rocketmq.Field{origin}, "O"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := New(raw(t, "{}", c.properties...)).ID(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	first := raw(t, "{}")
	if again := raw(t, "{}", rocketmq.Field{Name: rocketmq.PropertyOriginID, Value: first.ID()}); New(first).ID() != New(again).ID() {
		t.Error("without the sender's id the first attempt and the second differ")
	}
}

func TestBusinessKey(t *testing.T) {
	unique := rocketmq.Field{Name: rocketmq.PropertyUniqueKey, Value: "U"}
	for name, c := range map[string]struct {
		body, expression string
		want             []string
		err              string
	}{
		"order id and event type":           {`{"id":"o1","eventType":"OrderPaid"}`, "", []string{"o1", "OrderPaid"}, ""},
		"an order id that is a number":      {`{"id":17,"eventType":"OrderPaid"}`, "", []string{"17", "OrderPaid"}, ""},
		"no event type":                     {`{"id":"o1"}`, "", []string{"U"}, ""},
		"an empty id":                       {`{"id":"","eventType":"OrderPaid"}`, "", []string{"U"}, ""},
		"an id that is no identity":         {`{"id":1.5,"eventType":"OrderPaid"}`, "", []string{"U"}, ""},
		"an order that is no object":        {`[1]`, "", []string{"U"}, ""},
		"an expression":                     {`{"no":"n1"}`, "order.no", []string{"n1"}, ""},
		"an expression that fails":          {`{}`, "order.no", nil, "idempotency.keyExpression: order.no is missing"},
		"an expression that yields nothing": {`{"no":""}`, "order.no", nil, "idempotency.keyExpression: the key is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			var program *expression.Program
			for _, e := range (worker.Structure{KeyExpression: c.expression}).Expressions() {
				var err error
				if program, err = expression.Compile(e); err != nil {
					t.Fatal(err)
				}
			}
			got, err := New(raw(t, c.body, unique)).BusinessKey(t.Context(), program)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestABodyIsDecodedOnce(t *testing.T) {
	body := raw(t, `{"id":"o1"}`)
	m := New(body)
	if err := m.Decode(); err != nil {
		t.Fatal(err)
	}
	body.Body = []byte("{")
	if id, ok := m.Field("id"); !ok || id != "o1" {
		t.Errorf("got %v: decoded again", id)
	}
	broken := New(raw(t, "{"))
	if broken.Decode() == nil || broken.Order() != nil {
		t.Error("a body that is no JSON was decoded")
	}
}

// TestKeyIsKnown keeps keys from changing between releases: a changed key is another effect.
func TestKeyIsKnown(t *testing.T) {
	const want = "RVNU7J7M3ENZADG57OIDDF5LCV6GTPT43PVYAIAWD2IR3I6IXSJA"
	if got := Key("push_consumer_group", []string{"o1", "OrderPaid"}, "push"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKeysOfDifferentPartsDiffer(t *testing.T) {
	part := rapid.StringMatching(`[ab\x00\x01]{0,4}`)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []string {
			business := rapid.SliceOfN(part, 1, 2).Draw(t, name)
			return slices.Concat([]string{part.Draw(t, name+" group")}, business, []string{part.Draw(t, name+" step")})
		}
		key := func(p []string) string { return Key(p[0], p[1:len(p)-1], p[len(p)-1]) }
		a, b := draw("a"), draw("b")
		if slices.Equal(a, b) != (key(a) == key(b)) {
			t.Fatalf("%q and %q: keys %s and %s", a, b, key(a), key(b))
		}
		if k := key(a); len(k) != 52 || strings.Trim(k, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
			t.Fatalf("%q is no base32 of 52 characters", k)
		}
	})
}

// Whatever a shop sends as an order, it can be told from others, by the same key every time, and no error contains any of it.
func FuzzOrderEvent(f *testing.F) {
	f.Add([]byte(`{"id":"o-1","eventType":"OrderPaid","amount":1999,"items":[{"sku":"a","quantity":1}]}`), "U")
	f.Add([]byte(`{"id":7,"eventType":"OrderPaid"}`), "")
	f.Add([]byte(`{"id":null,"eventType":""}`), "U")
	f.Add([]byte(`{"specversion":"1.0","type":"OrderPaid","source":"/shop","id":"e-1","data":{"id":"o-1"}}`), "U")
	f.Add([]byte(`[{"id":"o-1"}]`), "U")
	f.Add([]byte("{\"id\":\"\xff\"}"), "U")
	f.Fuzz(func(t *testing.T, body []byte, unique string) {
		if strings.ContainsAny(unique, "\x01\x02") {
			return // cannot be sent
		}
		key := func() ([]string, error) {
			m := New(raw(t, string(body), rocketmq.Field{Name: rocketmq.PropertyUniqueKey, Value: unique}))
			err := m.Decode()
			if (err != nil) && m.Order() != nil {
				t.Errorf("%v, and yet it is %v", err, m.Order())
			}
			business, keyErr := m.BusinessKey(t.Context(), nil)
			if keyErr != nil {
				t.Errorf("no business key: %v", keyErr)
			}
			return business, err
		}
		first, err := key()
		again, _ := key()
		if !slices.Equal(first, again) || len(first) == 0 || first[0] == "" {
			t.Errorf("business keys %q and %q", first, again)
		}
		if n := len(body); err != nil && n > 40 && strings.Contains(err.Error(), string(body[n/2:n/2+20])) {
			t.Errorf("the error contains some of the order: %v", err)
		}
		if k := Key("g", first, "step"); len(k) != 52 {
			t.Errorf("the key %q has %d characters", k, len(k))
		}
	})
}
