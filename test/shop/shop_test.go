// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/orderflow-dev/orderflow/runtime/producer"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/stub"
)

func TestMain(m *testing.M) {
	broker.Main(m, rocketmqtest.Leaks()...)
}

// patience bounds what is quick on an idle machine.
const patience = 2 * time.Minute

// client calls a running shop.
type client struct {
	t    *testing.T
	url  string
	http *http.Client
}

func start(t *testing.T, cfg Config) client {
	t.Helper()
	cfg.Database = filepath.Join(t.TempDir(), "shop.db")
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil)) // not the test's: the library keeps the first, and its goroutines outlive tests
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return client{t, server.URL, server.Client()}
}

// binding is one on a fresh topic.
func binding(t *testing.T) *producer.Binding {
	t.Helper()
	mq := broker.Shared(t)
	return &producer.Binding{
		NameServers: []string{mq.NameServer()}, Topic: rocketmqtest.NewTopic(t, mq), Group: broker.Name(t, "shop"),
		Mode: producer.Async, SendTimeout: patience,
	}
}

// must calls the shop and decodes the answer, if into is not nil.
func (c client) must(status int, method, path string, body, into any) []byte {
	c.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(encoded))
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != status {
		c.t.Fatalf("%s %s: %s %s, want status %d", method, path, res.Status, content, status)
	}
	if into != nil {
		if err := json.Unmarshal(content, into); err != nil {
			c.t.Fatalf("%s %s: %s: %v", method, path, content, err)
		}
	}
	return content
}

func (c client) orders(query string) []ledger.Order {
	c.t.Helper()
	orders, err := ledger.Read[ledger.Order](bytes.NewReader(c.must(200, "GET", "/orders"+query, nil, nil)))
	if err != nil {
		c.t.Fatal(err)
	}
	return orders
}

// eventually polls until f answers nil.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func request(id string, quantity int) PayRequest {
	return PayRequest{Order: producer.OrderEvent{
		ID: id, MemberID: "member-1", Phone: "+15550100001", Amount: 100, Currency: "CNY",
		Items:   []producer.Item{{SKU: sku(1), Quantity: quantity}},
		Address: producer.Address{Name: "A", Country: "CN", City: "B", Street: "C"},
	}}
}

func TestPayingUpdatesOrderAndStockOrNeither(t *testing.T) {
	s, err := openStore(t.Context(), filepath.Join(t.TempDir(), "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.restock(t.Context(), []string{"pen", "ink"}, 5); err != nil {
		t.Fatal(err)
	}
	order := func(id string, items ...producer.Item) producer.OrderEvent {
		o := producer.OrderEvent{ID: id, Items: items, PaidAt: now()}
		if err := s.create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	check := func(when string, wantErr error, err error, pens int, paid ...string) {
		t.Helper()
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%s: error %v, want %v", when, err, wantErr)
		}
		left, err := s.stock(t.Context(), "pen")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := s.paid(t.Context(), "", func(o ledger.Order) error { got = append(got, o.ID); return nil }); err != nil {
			t.Fatal(err)
		}
		waiting, err := s.outbox.Waiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left != pens || !slices.Equal(got, paid) || waiting != len(paid) {
			t.Errorf("%s: %d pens, paid %v, %d outbox rows; want %d, %v and a row each", when, left, got, waiting, pens, paid)
		}
	}
	msg := &producer.Message{ID: "1", Body: []byte("x")}
	err = s.pay(t.Context(), order("a", producer.Item{SKU: "pen", Quantity: 2}), "Sync", msg)
	check("paid", nil, err, 3, "a")
	err = s.pay(t.Context(), order("a", producer.Item{SKU: "pen", Quantity: 2}), "Sync", msg)
	check("paid again", ErrAlreadyPaid, err, 3, "a")
	err = s.pay(t.Context(), order("b", producer.Item{SKU: "pen", Quantity: 1}, producer.Item{SKU: "ink", Quantity: 6}), "Sync", msg)
	check("second article out of stock", fmt.Errorf("%w: ink", ErrOutOfStock), err, 3, "a")
	err = s.pay(t.Context(), order("c", producer.Item{SKU: "pen", Quantity: 1}), "Sync", &producer.Message{Body: []byte("x")})
	if err == nil {
		t.Error("paid with a message the outbox refuses")
	}
	check("outbox refused", err, err, 3, "a")
}

func TestPayTellsHowTheOrderWasSent(t *testing.T) {
	b := binding(t)
	c := start(t, Config{Binding: b})
	var sync PayResponse
	r := request("order-1", 2)
	r.SendMode = "Sync"
	c.must(200, "POST", "/pay", r, &sync)
	if want := (PayResponse{OrderID: "order-1", Told: ledger.Accepted}); sync != want {
		t.Errorf("Sync: %+v, want %+v", sync, want)
	}
	c.must(409, "POST", "/pay", r, nil) // Paid before.
	c.must(200, "POST", "/pay", request("order-2", 1), nil)
	oneway := request("order-3", 1)
	oneway.SendMode = "Oneway"
	c.must(200, "POST", "/pay", oneway, nil)
	stored := func() []string {
		var ids []string
		for _, m := range rocketmqtest.Messages(t, broker.Shared(t), b.Topic) {
			ids = append(ids, m.Property("KEYS"))
			if err := validEvent(t, m.Body); err != nil {
				t.Errorf("message %s does not match the event's schema: %v", m.Property("KEYS"), err)
			}
		}
		slices.Sort(ids)
		return ids
	}
	want := []string{"order-1", "order-2", "order-3"}
	eventually(t, func() error {
		if got := stored(); !slices.Equal(got, want) {
			return fmt.Errorf("the broker has %v, want %v", got, want)
		}
		return nil
	})
	eventually(t, func() error {
		var got []string
		for _, o := range c.orders("") {
			got = append(got, o.ID+" "+o.Sent+" "+string(o.Told))
		}
		if want := []string{"order-1 Sync accepted", "order-2 Async accepted", "order-3 Oneway accepted"}; !slices.Equal(got, want) {
			return fmt.Errorf("orders %v, want %v", got, want)
		}
		return nil
	})
}

func validEvent(t *testing.T, body []byte) error {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile("../../docs/order-event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func TestOutboxRowOfAFailedSendIsRelayed(t *testing.T) {
	b := binding(t)
	b.SendTimeout = time.Second
	topic := b.Topic
	b.Topic += "-later" // Missing, until it is created below.
	cfg := Config{Binding: b, Database: filepath.Join(t.TempDir(), "shop.db"), Logger: slog.New(slog.DiscardHandler)}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	c := client{t, server.URL, server.Client()}
	for n, mode := range []string{"Sync", "Async"} {
		r := request(fmt.Sprint("order-", n), 1)
		r.SendMode, r.Outbox = mode, true
		var answer PayResponse
		c.must(200, "POST", "/pay", r, &answer)
		if answer.Told != ledger.Failed {
			t.Errorf("%s without a topic: told %q, want failed", mode, answer.Told)
		}
	}
	// A restart: the rows are in the file, what was told is not.
	server.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server = httptest.NewServer(s)
	defer server.Close()
	c = client{t, server.URL, server.Client()}
	for _, o := range c.orders("") {
		if !o.Outbox || o.Relayed || o.Told != ledger.Unknown {
			t.Errorf("before the topic is there: %+v, want outbox, not relayed, unknown", o)
		}
	}
	rocketmqtest.CreateTopic(t, broker.Shared(t), topic+"-later")
	eventually(t, func() error {
		for _, o := range c.orders("") {
			if !o.Relayed {
				return fmt.Errorf("order %+v was not relayed", o)
			}
		}
		return nil
	})
	waitStored(t, topic+"-later", 2)
}

// waitStored waits until a topic holds n messages: the broker counts them a little after it confirmed them. A message sent
// again by the relay, when the answer was late, has the same id and counts once.
func waitStored(t *testing.T, topic string, n int) {
	t.Helper()
	eventually(t, func() error {
		ids := map[string]bool{}
		for _, m := range rocketmqtest.Messages(t, broker.Shared(t), topic) {
			ids[m.Property("UNIQ_KEY")] = true
		}
		if len(ids) != n {
			return fmt.Errorf("the broker has %d messages, want %d", len(ids), n)
		}
		return nil
	})
}

func TestCoupledOrderHangsOnItsThirdParties(t *testing.T) {
	third := httptest.NewServer(stub.New(stub.Config{}))
	defer third.Close()
	control := func(path, body string) {
		t.Helper()
		client{t, third.URL, third.Client()}.must(204, "PUT", "/control/"+path, json.RawMessage(body), nil)
	}
	control("logistics", `{"latency":"0s"}`)
	const timeout = 2 * time.Second
	c, patient := start(t, Config{ThirdParties: third.URL, CallTimeout: timeout}), start(t, Config{ThirdParties: third.URL, CallTimeout: patience})
	pay := func(c client, id string, status int) (PayResponse, time.Duration) {
		t.Helper()
		r := request(id, 1)
		r.Mode = "coupled"
		var answer PayResponse
		begin := time.Now()
		c.must(status, "POST", "/pay", r, &answer)
		return answer, time.Since(begin)
	}
	control("sms", `{"latency":"300ms","sigma":0}`)
	if _, took := pay(patient, "healthy", 200); took < 300*time.Millisecond {
		t.Errorf("paid in %v, faster than the SMS gateway's 300ms", took)
	}
	control("sms", `{"mode":"blackhole"}`)
	answer, took := pay(c, "hung", 502)
	if took < timeout || !strings.Contains(answer.Error, "third party /sms/send") {
		t.Errorf("with a hung SMS gateway: %+v after %v, want its error after %v", answer, took, timeout)
	}
	control("sms", `{"mode":"down"}`)
	pay(c, "dead", 502)
	// The judge agrees: what comes after the failed call was not done, and somebody saw an error.
	calls, err := ledger.Read[ledger.Call](bytes.NewReader(client{t, third.URL, third.Client()}.must(200, "GET", "/calls", nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	report := ledger.Judge(ledger.Evidence{Orders: append(c.orders(""), patient.orders("")...), Calls: calls, Steps: []ledger.Step{
		{Handler: "push", Step: "send", Provider: "sms", Action: "send"},
		{Handler: "marketing", Step: "grant", Provider: "coupons", Action: "grant"},
	}})
	if want := []string{"dead", "hung"}; !slices.Equal(report.Lost, want) || !slices.Equal(report.ReportedLosses[Coupled], want) {
		t.Errorf("lost %v, reported %v; want both %v", report.Lost, report.ReportedLosses, want)
	}
}
