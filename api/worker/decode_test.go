// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestAHandlerHasTheMemberOfItsTypeAndNoOther(t *testing.T) {
	push := &worker.PushHandler{Adapter: "sms"}
	credit := &worker.CreditHandler{Adapter: "sms"}
	warehouse := &worker.WarehouseHandler{Steps: []worker.WarehouseStep{{Adapter: "sms"}}}
	for name, c := range map[string]struct {
		handler worker.Handler
		want    string
	}{
		"its member is given":             {worker.Handler{Type: worker.HandlerPush, Push: push}, ""},
		"another's is given in its stead": {worker.Handler{Type: worker.HandlerPush, Warehouse: warehouse}, `handler is of type "Push", but what such a handler does is not given`},
		"another's is given too":          {worker.Handler{Type: worker.HandlerCredit, Push: push, Credit: credit}, `handler is of type "Credit", but something is given for type "Push"`},
		"nothing is given":                {worker.Handler{Type: worker.HandlerHTTP}, `handler is of type "HTTP", but what such a handler does is not given`},
	} {
		t.Run(name, func(t *testing.T) {
			s := complete()
			s.Handler = c.handler
			wantDecoded(t, s, c.want)
		})
	}
}

// complete is a structure that lacks nothing.
func complete() worker.Structure {
	return worker.Structure{
		Version: worker.Version, Namespace: "shop", Name: "push", NameServers: []string{"mq:9876"}, Group: "g", Topic: "t", TagExpression: "*",
		Mode: worker.ModePush, MaxUncommitted: 1, Concurrency: 1, TerminationGrace: worker.Duration(time.Second),
		Retry:    worker.Retry{MaxAttempts: 1, MaxDuration: worker.Duration(time.Second)},
		Handler:  worker.Handler{Type: worker.HandlerPush, Push: &worker.PushHandler{Adapter: "sms"}},
		Adapters: []worker.Adapter{{Name: "sms", URL: "https://sms.example", Idempotency: worker.Idempotency{Header: "K"}}},
	}
}

// wantDecoded wants a structure taken, or refused with a sentence.
func wantDecoded(t *testing.T, s worker.Structure, sentence string) {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = worker.DecodeStructure(data)
	if (err == nil) != (sentence == "") || err != nil && !strings.Contains(err.Error(), sentence) {
		t.Errorf("got %v\nwant %q", err, sentence)
	}
}

func TestAnExpiryIsWhole(t *testing.T) {
	const needs = "expiry needs after and sinceExpression"
	for name, c := range map[string]struct {
		expiry *worker.Expiry
		want   string
	}{
		"none":               {nil, ""},
		"both":               {&worker.Expiry{After: worker.Duration(time.Minute), SinceExpression: "message.bornTime"}, ""},
		"since nothing":      {&worker.Expiry{After: worker.Duration(time.Minute)}, needs},
		"after nothing":      {&worker.Expiry{SinceExpression: "message.bornTime"}, needs},
		"before it was born": {&worker.Expiry{After: -1, SinceExpression: "message.bornTime"}, needs},
	} {
		t.Run(name, func(t *testing.T) {
			s := complete()
			s.Expiry = c.expiry
			wantDecoded(t, s, c.want)
		})
	}
}

// A worker's files that are taken say the same when they are written again, and whatever is refused is refused with a sentence.
func FuzzDecodeStructure(f *testing.F) {
	whole, err := json.Marshal(complete())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"version":2,"handler":{"type":"HTTP","http":{"steps":[{"adapter":"a"}]}},"adapters":[{"name":"a"}]}`))
	f.Add([]byte(`{"version":2,"revision":"r","adapters":[{"name":"a","timeout":"1s","requestAttempts":1,"breaker":{"failurePercentage":50}}]}`))
	f.Add([]byte(`{"terminationGrace":"9223372036854775807ns","expiry":null} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := worker.DecodeStructure(data); err == nil {
			wantSame(t, s, worker.DecodeStructure)
		} else if err.Error() == "" {
			t.Error("a structure is refused without a word")
		}
		if l, err := worker.DecodeLive(data); err == nil {
			wantSame(t, l, worker.DecodeLive)
		} else if err.Error() == "" {
			t.Error("limits are refused without a word")
		}
	})
}

// wantSame wants v to be v again when it was written and read.
func wantSame[T any](t *testing.T, v T, decode func([]byte) (T, error)) {
	t.Helper()
	written, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	again, err := decode(written)
	if err != nil {
		t.Fatalf("%s was taken and is now refused: %v", written, err)
	}
	rewritten, err := json.Marshal(again)
	if err != nil || string(rewritten) != string(written) {
		t.Errorf("got %s, %v\nwant %s", rewritten, err, written)
	}
}

func TestAWorkerTakesWhatItKnowsOfANewerOperatorsLimits(t *testing.T) {
	const limits = `"name":"sms","timeout":"1s","requestAttempts":1,"retryDelay":"1ms","breaker":{"failurePercentage":50,"minimumRequests":1,"window":"1s","openDuration":"1s","laterOn":1},"laterOn":{}`
	l, err := worker.DecodeLive([]byte(`{"version":2,"revision":"r2","laterOn":[1],"adapters":[{` + limits + `,"requestsPerSecond":7,"burst":1}]}`))
	if err != nil || l.Revision != "r2" || l.Adapters[0].RequestsPerSecond != 7 {
		t.Errorf("got %+v, %v", l, err)
	}
	if _, err := worker.DecodeLive([]byte(`{"version":1,"revision":"r2","adapters":[{` + limits + `}]}`)); err == nil || !strings.Contains(err.Error(), "version is 1, this worker reads 2") {
		t.Errorf("what another version means is guessed: %v", err)
	}
	s, err := json.Marshal(complete())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := worker.DecodeStructure([]byte(`{"laterOn":1,` + string(s[1:]))); err == nil || !strings.Contains(err.Error(), `unknown field "laterOn"`) {
		t.Errorf("a structure that this worker does not know all of is run: %v", err)
	}
}

func TestOnlyTemplatesChangeUnderARunningPod(t *testing.T) {
	http := func(change func(*worker.HTTPStep)) worker.Handler {
		step := worker.HTTPStep{Name: "n", Adapter: "a", Method: "POST", Path: "/p"}
		change(&step)
		return worker.Handler{Type: worker.HandlerHTTP, HTTP: &worker.HTTPHandler{Steps: []worker.HTTPStep{step}}}
	}
	warehouse := func(change func(*worker.WarehouseStep)) worker.Handler {
		step := worker.WarehouseStep{Name: "n", Adapter: "a", Action: "CreateWaybill"}
		change(&step)
		return worker.Handler{Type: worker.HandlerWarehouse, Warehouse: &worker.WarehouseHandler{Steps: []worker.WarehouseStep{step}}}
	}
	of := func(change func(p *worker.PushHandler, c *worker.CreditHandler, m *worker.MarketingHandler)) worker.Handler {
		h := worker.Handler{Push: &worker.PushHandler{}, Credit: &worker.CreditHandler{}, Marketing: &worker.MarketingHandler{}}
		change(h.Push, h.Credit, h.Marketing)
		return h
	}
	anyHTTP, anyWarehouse := http(func(*worker.HTTPStep) {}), warehouse(func(*worker.WarehouseStep) {})
	anyOf := of(func(*worker.PushHandler, *worker.CreditHandler, *worker.MarketingHandler) {})
	when := anyHTTP
	when.WhenExpression = "true"
	for sentence, c := range map[string]struct {
		was, is worker.Handler
		want    bool
	}{
		"when":                {anyHTTP, when, true},
		"method and path":     {anyHTTP, http(func(s *worker.HTTPStep) { s.Method, s.Path, s.PathExpression = "PUT", "", "'/q'" }), true},
		"body and condition":  {anyHTTP, http(func(s *worker.HTTPStep) { s.BodyExpression, s.WhenExpression = "{}", "false" }), true},
		"body of a warehouse": {anyWarehouse, warehouse(func(s *worker.WarehouseStep) { s.BodyExpression, s.Path = "{}", "/q" }), true},
		"templates of the typed": {anyOf, of(func(p *worker.PushHandler, c *worker.CreditHandler, m *worker.MarketingHandler) {
			p.TemplateID, c.PointsExpression, m.CampaignID = "t", "1", "c"
		}), true},
		"name":                   {anyHTTP, http(func(s *worker.HTTPStep) { s.Name = "o" }), false},
		"adapter":                {anyHTTP, http(func(s *worker.HTTPStep) { s.Adapter = "b" }), false},
		"action":                 {anyWarehouse, warehouse(func(s *worker.WarehouseStep) { s.Action = "NotifyShipment" }), false},
		"adapter of a push":      {anyOf, of(func(p *worker.PushHandler, _ *worker.CreditHandler, _ *worker.MarketingHandler) { p.Adapter = "b" }), false},
		"adapter of a credit":    {anyOf, of(func(_ *worker.PushHandler, c *worker.CreditHandler, _ *worker.MarketingHandler) { c.Adapter = "b" }), false},
		"adapter of a marketing": {anyOf, of(func(_ *worker.PushHandler, _ *worker.CreditHandler, m *worker.MarketingHandler) { m.Adapter = "b" }), false},
		"number of steps":        {anyHTTP, worker.Handler{Type: worker.HandlerHTTP, HTTP: &worker.HTTPHandler{}}, false},
		"type":                   {anyHTTP, anyWarehouse, false},
	} {
		if got := c.was.Alike(c.is); got != c.want {
			t.Errorf("with another %s they are alike: %v", sentence, got)
		}
	}
}

func TestASubscriptionIsOfOneType(t *testing.T) {
	const needs = "one of tagExpression and sqlExpression is needed"
	for name, c := range map[string]struct{ tag, sql, want string }{
		"by tag":        {"paid", "", ""},
		"by properties": {"", "amount > 100", ""},
		"by both":       {"paid", "amount > 100", needs},
		"by nothing":    {"", "", needs},
	} {
		t.Run(name, func(t *testing.T) {
			s := complete()
			s.TagExpression, s.SQLExpression = c.tag, c.sql
			wantDecoded(t, s, c.want)
		})
	}
}
