// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package handler

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const order = `{"id":"o1","eventType":"OrderPaid","memberId":"m1","phone":"+8613800000000","amount":1999,
	"items":[{"sku":"a","quantity":1}],"address":{"city":"Berlin"},"evil":"../admin?x#y"}`

// recorder is a Caller that answers from a script, Done at its end.
type recorder struct {
	script   []outcome.Outcome
	requests []adapter.Request
}

func (r *recorder) Call(_ context.Context, request adapter.Request) outcome.Outcome {
	r.requests = append(r.requests, request)
	if len(r.script) == 0 {
		return outcome.Succeed()
	}
	o := r.script[0]
	r.script = r.script[1:]
	return o
}

func build(t *testing.T, h worker.Handler, r *recorder) *Handler {
	t.Helper()
	handler, err := New(Config{Structure: worker.Structure{Group: "g", Handler: h}, Adapters: map[string]Caller{"a": r}})
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// at is where most messages are read.
const at = "Orders@broker-a#0:7"

func paid(body string) *message.Message { return identified("U1", body) }

func identified(id, body string) *message.Message {
	raw := &rocketmq.Message{Body: []byte(body)}
	raw.SetProperties(rocketmq.PropertyUniqueKey + "\x01" + id + "\x02")
	return message.New(raw)
}

func toPush(change func(*worker.PushHandler)) worker.Handler {
	p := &worker.PushHandler{Adapter: "a", Path: "/send", TemplateID: "t1", ToExpression: "order.phone"}
	if change != nil {
		change(p)
	}
	return worker.Handler{Type: worker.HandlerPush, Push: p}
}

func toCredit(points string) worker.Handler {
	return worker.Handler{Type: worker.HandlerCredit, Credit: &worker.CreditHandler{Adapter: "a", MemberExpression: "order.memberId", PointsExpression: points}}
}

func toHTTP(steps ...worker.HTTPStep) worker.Handler {
	for i := range steps {
		steps[i].Adapter = "a"
	}
	return worker.Handler{Type: worker.HandlerHTTP, HTTP: &worker.HTTPHandler{Steps: steps}}
}

func toWarehouse(steps ...worker.WarehouseStep) worker.Handler {
	for i := range steps {
		steps[i].Adapter = "a"
	}
	return worker.Handler{Type: worker.HandlerWarehouse, Warehouse: &worker.WarehouseHandler{Steps: steps}}
}

func when(h worker.Handler, expression string) worker.Handler {
	h.WhenExpression = expression
	return h
}

type sent struct{ Step, Method, Path, Body string }

func TestRequests(t *testing.T) {
	for name, c := range map[string]struct {
		handler worker.Handler
		want    []sent
	}{
		"push": {toPush(nil), []sent{{"push", "POST", "/send", `{"parameters":{"orderId":"o1"},"templateId":"t1","to":"+8613800000000"}`}}},
		"push with parameters": {toPush(func(p *worker.PushHandler) { p.ParametersExpression = "{'total': order.amount}" }),
			[]sent{{"push", "POST", "/send", `{"parameters":{"total":1999},"templateId":"t1","to":"+8613800000000"}`}}},
		"credit":                {toCredit("int(order.amount / 100)"), []sent{{"credit", "POST", "", `{"memberId":"m1","orderId":"o1","points":19}`}}},
		"credit without points": {toCredit("order.amount - 1999"), nil},
		"marketing": {worker.Handler{Type: worker.HandlerMarketing, Marketing: &worker.MarketingHandler{Adapter: "a", Path: "/grant", CampaignID: "c1", MemberExpression: "order.memberId"}},
			[]sent{{"marketing", "POST", "/grant", `{"campaignId":"c1","memberId":"m1","orderId":"o1"}`}}},
		"warehouse": {toWarehouse(worker.WarehouseStep{Name: "bill", Action: "CreateWaybill", Path: "/waybill"}, worker.WarehouseStep{Name: "ship", Action: "NotifyShipment", BodyExpression: "{'no': order.id}"}),
			[]sent{
				{"bill", "POST", "/waybill", `{"action":"CreateWaybill","address":{"city":"Berlin"},"items":[{"quantity":1,"sku":"a"}],"orderId":"o1"}`},
				{"ship", "POST", "", `{"no":"o1"}`},
			}},
		"http": {toHTTP(
			worker.HTTPStep{Name: "whole", Method: "POST", Path: "/orders"},
			worker.HTTPStep{Name: "part", Method: "PUT", PathExpression: "'/orders/' + order.id", BodyExpression: "order.items[0].sku"},
			worker.HTTPStep{Name: "not", Method: "POST", WhenExpression: "order.amount > 5000"},
			worker.HTTPStep{Name: "look", Method: "GET", Path: "/done"},
		), []sent{{"whole", "POST", "/orders", order}, {"part", "PUT", "/orders/o1", `"a"`}, {"look", "GET", "/done", ""}}},
		"a condition that is false": {when(toPush(nil), "order.amount > 5000"), nil},
		"a condition that is true":  {when(toCredit("1"), "order.amount < 5000"), []sent{{"credit", "POST", "", `{"memberId":"m1","orderId":"o1","points":1}`}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			o := build(t, c.handler, r).Handle(t.Context(), paid(order), at)
			var got []sent
			for _, q := range r.requests {
				got = append(got, sent{q.Step, q.Method, q.Path, string(q.Body)})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if skipped := o.Reason == Skipped; o.Kind != outcome.Done || skipped != (len(c.want) == 0) {
				t.Errorf("got %v", o)
			}
		})
	}
}

func TestAWarehouseLeavesOutWhatTheOrderDoesNotHave(t *testing.T) {
	r := &recorder{}
	build(t, toWarehouse(worker.WarehouseStep{Name: "s", Action: "CreateWaybill"}), r).Handle(t.Context(), paid(`{"id":7}`), at)
	if want := `{"action":"CreateWaybill","orderId":7}`; len(r.requests) != 1 || string(r.requests[0].Body) != want {
		t.Errorf("got %v, want %s", r.requests, want)
	}
}

func TestWhatCannotBeMappedIsDeadAndNamesTheField(t *testing.T) {
	path := func(expression string) worker.Handler {
		return toHTTP(worker.HTTPStep{Name: "s", Method: "POST", PathExpression: expression})
	}
	for name, c := range map[string]struct {
		handler worker.Handler
		body    string
		want    string
	}{
		"a field that is missing":             {toPush(nil), `{"id":"o1"}`, "step push: handler.push.toExpression: order.phone is missing"},
		"a field of another type":             {toPush(nil), `{"id":"o1","phone":13}`, "step push: handler.push.toExpression yields int, not string: wrap it in string(...)"},
		"a field that is empty":               {toPush(nil), `{"id":"o1","phone":""}`, "step push: handler.push.toExpression: the result is empty"},
		"no order id":                         {toPush(nil), `{"phone":"+8613800000000"}`, "step push: order.id is missing"},
		"no member":                           {toCredit("1"), `{"id":"o1"}`, "step credit: handler.credit.memberExpression: order.memberId is missing"},
		"a condition on a missing field":      {when(toPush(nil), "order.vip"), order, "handler.whenExpression: order.vip is missing"},
		"a step's condition on a missing one": {toHTTP(worker.HTTPStep{Name: "s", Method: "POST", WhenExpression: "order.vip"}), order, "step s: handler.http.steps[0].whenExpression: order.vip is missing"},
		"a path that leads elsewhere":         {path("'/orders/' + order.evil"), order, "step s: handler.http.steps[0].pathExpression: the path contains ?, # or a backslash"},
		"a path that climbs":                  {path("'/orders/../admin'"), order, "step s: handler.http.steps[0].pathExpression: the path contains ., .. or an empty segment"},
		"a path that climbs in disguise":      {path("'/orders/%2e%2e/admin'"), order, "step s: handler.http.steps[0].pathExpression: the path contains ., .. or an empty segment"},
		"a path to another host":              {path("'//evil.example/x'"), order, "step s: handler.http.steps[0].pathExpression: the path contains ., .. or an empty segment"},
		"a path without slash":                {path("order.id"), order, "step s: handler.http.steps[0].pathExpression: the path does not begin with /"},
		"a path with a segment too many":      {path("order.id.matches('^[0-9A-Za-z-]+$') ? '/orders/' + order.id : ''"), `{"id":"7/refund"}`, "step s: handler.http.steps[0].pathExpression: the result is empty"},
		"a path with a line break":            {path("'/a%0ab'"), order, "step s: handler.http.steps[0].pathExpression: the path contains what a path cannot"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			o := build(t, c.handler, r).Handle(t.Context(), paid(c.body), at)
			if o.Kind != outcome.Dead || o.Reason != MappingFailed || o.Detail != c.want {
				t.Errorf("got %v %s %q\nwant %q", o.Kind, o.Reason, o.Detail, c.want)
			}
			if len(r.requests) > 0 || strings.Contains(o.Detail, "13800000000") {
				t.Errorf("%d requests were made, or %q contains a value", len(r.requests), o.Detail)
			}
		})
	}
}

var twoSteps = toWarehouse(worker.WarehouseStep{Name: "one", Action: "A"}, worker.WarehouseStep{Name: "two", Action: "B"})

func made(r *recorder) (names, keys []string) {
	for _, q := range r.requests {
		names, keys = append(names, q.Step), append(keys, q.Key)
	}
	return names, keys
}

func TestEveryAttemptCarriesTheSameKeysAndBeginsAtTheFirstStep(t *testing.T) {
	retry := outcome.RetryLater(0, adapter.Timeout, "")
	r := &recorder{script: []outcome.Outcome{outcome.Succeed(), retry}}
	h := build(t, twoSteps, r)
	if o := h.Handle(t.Context(), paid(order), at); o != retry {
		t.Fatalf("got %v", o)
	}
	if o := h.Handle(t.Context(), paid(order), at); o.Kind != outcome.Done {
		t.Fatalf("got %v", o)
	}
	names, keys := made(r)
	if diff := cmp.Diff([]string{"one", "two", "one", "two"}, names); diff != "" {
		t.Error(diff)
	}
	if keys[0] != keys[2] || keys[1] != keys[3] || keys[0] == keys[1] {
		t.Errorf("keys are %q", keys)
	}
}

func TestEachRecipientHasKeysOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, recipient := range []string{"", "pod-a", "pod-b"} {
		r := &recorder{}
		h := build(t, twoSteps, r)
		h.recipient = recipient
		h.Handle(t.Context(), paid(order), at)
		_, keys := made(r)
		if other, known := seen[keys[0]]; known {
			t.Errorf("recipients %q and %q share the key %s: one would have the effect for both", other, recipient, keys[0])
		}
		seen[keys[0]] = recipient
	}
}

func TestAParkedMessageGoesOnWhereItWas(t *testing.T) {
	park := outcome.ParkUntil(t.Context().Done(), adapter.CircuitOpen, "")
	r := &recorder{script: []outcome.Outcome{outcome.Succeed(), park, park}}
	h := build(t, twoSteps, r)
	for range 3 {
		h.Handle(t.Context(), paid(order), at)
	}
	names, _ := made(r)
	if diff := cmp.Diff([]string{"one", "two", "two", "two"}, names); diff != "" {
		t.Error(diff)
	}
	h.Handle(t.Context(), paid(order), at)
	if names, _ = made(r); len(names) != 6 {
		t.Errorf("what was done is remembered: %v", names)
	}
}

// Of a message that was parked with a request of unknown fate, the same request is the one that may have been made: until it has ended, and no other.
func TestAParkedRequestOfUnknownFateMayHaveBeenMade(t *testing.T) {
	park := outcome.ParkUntil(t.Context().Done(), adapter.CircuitOpen, "")
	doubtful := park
	doubtful.MaybeMade = true
	r := &recorder{script: []outcome.Outcome{doubtful, park, outcome.Succeed(), park, outcome.Succeed()}}
	h := build(t, twoSteps, r)
	for range 4 {
		h.Handle(t.Context(), paid(order), at)
	}
	var got []string
	for _, q := range r.requests {
		got = append(got, fmt.Sprint(q.Step, " ", q.MaybeMade))
	}
	if diff := cmp.Diff([]string{"one false", "one true", "one true", "two false", "two false"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyTheDeliveryThatWasParkedGoesOnWhereItWas(t *testing.T) {
	for name, next := range map[string]struct {
		message *message.Message
		at      string
	}{
		"another message whose producer made the same id": {paid(order), "Orders@broker-a#0:8"},
		"the same message after a retry elsewhere":        {paid(order), "%RETRY%g@broker-a#0:7"},
		"what a topic that was made anew has there":       {identified("U2", order), at},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{script: []outcome.Outcome{outcome.Succeed(), outcome.ParkUntil(t.Context().Done(), adapter.CircuitOpen, "")}}
			h := build(t, twoSteps, r)
			h.Handle(t.Context(), paid(order), at)
			h.Handle(t.Context(), next.message, next.at)
			h.Handle(t.Context(), paid(order), at)
			names, _ := made(r)
			if diff := cmp.Diff([]string{"one", "two", "one", "two", "two"}, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProgressIsBounded(t *testing.T) {
	var p progress
	for i := range 3 * maxParked {
		p.keep(parkedKey{at: strconv.Itoa(i)}, place{step: 1})
		if len(p.parked) > maxParked {
			t.Fatalf("%d messages are remembered", len(p.parked))
		}
	}
}

// A delivery of which nothing is remembered may be one that was forgotten: each of its steps may have been made, in whatever pieces it is gone through.
func TestWhatWasForgottenMayHaveBeenMade(t *testing.T) {
	park := outcome.ParkUntil(t.Context().Done(), adapter.CircuitOpen, "")
	for sentence, c := range map[string]struct {
		others int
		want   []string
	}{
		"it is remembered while there is room": {maxParked - 1, []string{"one false", "two false", "two false", "three false", "three false"}},
		"it is forgotten with all others":      {maxParked, []string{"one false", "two false", "one true", "two true", "two true", "three true"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := &recorder{script: []outcome.Outcome{outcome.Succeed(), park, outcome.Succeed(), park}}
			h := build(t, toWarehouse(worker.WarehouseStep{Name: "one", Action: "A"}, worker.WarehouseStep{Name: "two", Action: "B"}, worker.WarehouseStep{Name: "three", Action: "C"}), r)
			h.Handle(t.Context(), paid(order), at)
			for i := range c.others {
				h.progress.keep(parkedKey{at: strconv.Itoa(i)}, place{step: 1})
			}
			for range 2 {
				h.Handle(t.Context(), paid(order), at)
			}
			var got []string
			for _, q := range r.requests {
				got = append(got, fmt.Sprint(q.Step, " ", q.MaybeMade))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStoppingWhileMappingIsNotTheMessagesFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	long := `{"id":"o1","eventType":"e","list":[` + strings.Repeat("1,", 5000) + `1]}`
	o := build(t, when(toPush(nil), "order.list.all(i, i > 0)"), &recorder{}).Handle(ctx, paid(long), at)
	if o.Kind != outcome.Park || o.Reason != adapter.Stopping {
		t.Errorf("got %v", o)
	}
}

func TestNewSaysAllThatIsWrong(t *testing.T) {
	bad := toPush(func(p *worker.PushHandler) { p.ToExpression, p.ParametersExpression = "ordr.phone", "1" })
	_, err := New(Config{Structure: worker.Structure{Handler: bad}})
	for _, want := range []string{"handler.push.toExpression: column 1: undeclared reference to 'ordr'", "handler.push.parametersExpression: yields int, not map"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant it to contain %q", err, want)
		}
	}
	for want, structure := range map[string]worker.Structure{
		`refers to adapter "a", which is not given`:    {Handler: toPush(nil)},
		`this worker does not know handler type "Fax"`: {Handler: worker.Handler{Type: "Fax"}},
	} {
		if _, err := New(Config{Structure: structure}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestARequestThatMayHaveBeenMadeSaysSo(t *testing.T) {
	for _, maybe := range []bool{false, true} {
		r := &recorder{}
		build(t, toPush(nil), r).Handle(t.Context(), message.New(&rocketmq.Message{Body: []byte(order), MaybeHandled: maybe}), at)
		if len(r.requests) != 1 || r.requests[0].MaybeMade != maybe {
			t.Errorf("the requests of a message that may have been handled (%v) are %+v", maybe, r.requests)
		}
	}
}

func TestTemplatesChangeBetweenTwoMessages(t *testing.T) {
	parked := outcome.Outcome{Kind: outcome.Park}
	r := &recorder{script: []outcome.Outcome{outcome.Succeed(), parked}}
	bodies := func(first, second string) worker.Handler {
		return toHTTP(worker.HTTPStep{Name: "one", Method: "POST", BodyExpression: first}, worker.HTTPStep{Name: "two", Method: "POST", BodyExpression: second})
	}
	h := build(t, bodies("'a1'", "'b1'"), r)
	handle := func(want ...string) {
		t.Helper()
		r.requests = nil
		h.Handle(t.Context(), paid(order), at)
		var got []string
		for _, request := range r.requests {
			got = append(got, string(request.Body))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	handle(`"a1"`, `"b1"`)
	if err := h.SetTemplates(bodies("'a2'", "'b2'")); err != nil {
		t.Fatal(err)
	}
	handle(`"b2"`) // the step it came to
	handle(`"a2"`, `"b2"`)
	if err := h.SetTemplates(bodies("'a3'", "order.")); err == nil || !strings.Contains(err.Error(), "handler.http.steps[1].bodyExpression") {
		t.Errorf("what cannot be compiled is refused with %v", err)
	}
	handle(`"a2"`, `"b2"`)
}

func TestAPathThatIsMadeOfTheOrderIsMarked(t *testing.T) {
	r := &recorder{}
	h := build(t, toHTTP(worker.HTTPStep{Name: "fixed", Method: "POST", Path: "/p"}, worker.HTTPStep{Name: "mapped", Method: "GET", PathExpression: "'/members/' + order.memberId"}), r)
	h.Handle(t.Context(), paid(order), at)
	if len(r.requests) != 2 || r.requests[0].PathMapped || !r.requests[1].PathMapped {
		t.Errorf("got %+v", r.requests)
	}
}
