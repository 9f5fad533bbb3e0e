// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shadow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

const phone = "+8613800000000"

func structure() worker.Structure {
	return worker.Structure{
		Handler: worker.Handler{Type: worker.HandlerHTTP, HTTP: &worker.HTTPHandler{Steps: []worker.HTTPStep{
			{Name: "fixed", Adapter: "sms", Path: "/send"}, {Name: "mapped", Adapter: "sms", PathExpression: "'/members/' + order.phone"},
		}}},
		Adapters: []worker.Adapter{{
			Name: "sms", URL: "https://sms.example.com/v1", Auth: &worker.Auth{Type: worker.AuthBearer}, Idempotency: worker.Idempotency{Header: "Idempotency-Key"},
		}},
	}
}

func TestARequestIsLoggedWithoutItsValues(t *testing.T) {
	var out bytes.Buffer
	sms := Callers(structure(), slog.New(slog.NewJSONHandler(&out, nil)))["sms"]
	for _, test := range []struct {
		request adapter.Request
		want    []string
	}{{
		adapter.Request{Step: "fixed", Method: "POST", Path: "/send", Key: "ABC", Body: []byte(`{"to":"` + phone + `","parameters":{"orderId":7,"vip":true,"gone":null,"` + phone + `":1},"items":["a",2.5]}`)},
		[]string{
			`"adapter":"sms","step":"fixed","method":"POST","host":"sms.example.com","path":"/v1/send"`,
			`"headers":["Accept","Authorization","Content-Type","Idempotency-Key","User-Agent"],"idempotencyKey":"ABC"`,
			`"body":"{items:[string(1),number],parameters:{name(14):number,gone:null,orderId:number,vip:bool},to:string(14)}"`,
		},
	}, {
		adapter.Request{Step: "mapped", Method: "GET", Path: "/members/" + phone, PathMapped: true, Key: "ABC"},
		[]string{`"path":"/v1/(7)/(14)"`, `"headers":["Accept","Authorization","Idempotency-Key","User-Agent"]`, `"body":"none"`},
	}, {
		adapter.Request{Step: "fixed", Method: "POST", Path: "/send", Body: []byte("text of " + phone)},
		[]string{`"body":"no JSON, 22 bytes"`},
	}} {
		out.Reset()
		if o := sms.Call(t.Context(), test.request); o.Kind != outcome.Done || o.Reason != Shadowed {
			t.Errorf("got %+v", o)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s is not in\n%s", want, out.String())
			}
		}
		if strings.Contains(out.String(), phone) || strings.Contains(out.String(), phone[1:]) {
			t.Errorf("the phone is in\n%s", out.String())
		}
	}
}

func TestALargeBodyMakesAShortLine(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	deep := strings.Repeat(`{"deeper":`, 100) + "1" + strings.Repeat("}", 100)
	wide := "[" + strings.Repeat(`"x",`, 100_000) + `"x"]`
	var both strings.Builder
	for i := range 40 {
		fmt.Fprintf(&both, `"%s%s":%s,`, strings.Repeat("n", 30), strings.Repeat("m", i%9), wide[:401]+`"x"]`)
	}
	for body, want := range map[string]string{deep: "object(1)", wide: ",+99969]", "{" + both.String() + `"z":1}`: "string(1)"} {
		out.Reset()
		log.Info("x", "body", redacted(body))
		if out.Len() > maxText+200 || !strings.Contains(out.String(), want) {
			t.Errorf("%d bytes, without %s: %.300s", out.Len(), want, out.String())
		}
	}
}

type ends outcome.Outcome

func (e ends) Handle(context.Context, *rocketmq.Message) outcome.Outcome { return outcome.Outcome(e) }

func TestEveryMessagePassesAndIsCountedByItsReason(t *testing.T) {
	for _, test := range []struct {
		is   outcome.Outcome
		want outcome.Outcome
		says string
	}{
		{outcome.Outcome{Kind: outcome.Done, Reason: Shadowed}, outcome.Outcome{Kind: outcome.Done, Reason: Shadowed}, ""},
		{outcome.Kill("MappingFailed", "order.phone is missing"), outcome.Outcome{Kind: outcome.Done, Reason: "MappingFailed"}, `"wouldBe":"dead","reason":"MappingFailed","detail":"order.phone is missing"`},
		{outcome.Expire("TooLate", "an hour"), outcome.Outcome{Kind: outcome.Done, Reason: "TooLate"}, `"wouldBe":"expired"`},
		{outcome.RetryLater(0, "HandlerPanic", ""), outcome.Outcome{Kind: outcome.Done, Reason: "HandlerPanic"}, `"wouldBe":"retry"`},
		{outcome.ParkUntil(nil, "Stopping", ""), outcome.ParkUntil(nil, "Stopping", ""), ""},
	} {
		var out bytes.Buffer
		got := Messages(ends(test.is), slog.New(slog.NewJSONHandler(&out, nil))).Handle(t.Context(), &rocketmq.Message{})
		if got != test.want || !strings.Contains(out.String(), test.says) || test.says == "" && out.Len() > 0 {
			t.Errorf("%v became %v, and the log says %q", test.is, got, out.String())
		}
	}
}

func TestAMessageWithoutItsOrderKeyIsHandledAndSaid(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	if OrderKey(nil, log) != nil {
		t.Error("where no order is kept there is a key")
	}
	fails := func(*rocketmq.Message) (string, error) { return "", errors.New("order.id is missing") }
	if key, err := OrderKey(fails, log)(&rocketmq.Message{}); key != "" || err != nil {
		t.Errorf("got %q, %v", key, err)
	}
	if want := `"wouldBe":"dead","reason":"OrderKeyFailed","detail":"order.id is missing"`; !strings.Contains(out.String(), want) {
		t.Errorf("%s is not in %s", want, out.String())
	}
	same := func(*rocketmq.Message) (string, error) { return "o1", nil }
	if key, err := OrderKey(same, log)(&rocketmq.Message{}); key != "o1" || err != nil {
		t.Errorf("got %q, %v", key, err)
	}
}
