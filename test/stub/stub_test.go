// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/test/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client calls a running stub.
type client struct {
	t    *testing.T
	url  string
	http *http.Client
}

func start(t *testing.T, cfg Config) client {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	server := httptest.NewServer(New(cfg))
	t.Cleanup(func() {
		server.CloseClientConnections() // Frees black holes.
		server.Close()
	})
	return client{t, server.URL, server.Client()}
}

func (c client) do(method, path, body string, header ...string) (*http.Response, string, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	return res, string(content), err
}

// must does what has to be answered with status.
func (c client) must(status int, method, path, body string, header ...string) string {
	c.t.Helper()
	res, content, err := c.do(method, path, body, header...)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != status {
		c.t.Fatalf("%s %s: %s %s, want status %d", method, path, res.Status, content, status)
	}
	return content
}

// fast makes all actions answer at once.
func (c client) fast() {
	c.t.Helper()
	for _, provider := range []string{"sms", "logistics", "points", "coupons"} {
		c.must(204, "PUT", "/control/"+provider, `{"latency":"0s"}`)
	}
}

func (c client) calls() []ledger.Call {
	c.t.Helper()
	calls, err := ledger.Read[ledger.Call](strings.NewReader(c.must(200, "GET", "/calls", "")))
	if err != nil {
		c.t.Fatal(err)
	}
	return calls
}

const order1 = `{"orderId":"order-1"}`

func TestEveryActionWorksAndIsRecorded(t *testing.T) {
	c := start(t, Config{})
	c.fast()
	for _, def := range actionDefs {
		before := time.Now().UnixMilli()
		got := c.must(200, "POST", "/"+def.provider+"/"+def.name, `{"order":{"id":"order-1"}}`, "Idempotency-Key", "key-1")
		if want := `{"code":"OK","duplicate":false,"id":"order-1"}`; strings.TrimSpace(got) != want {
			t.Errorf("%s/%s answered %s, want %s", def.provider, def.name, got, want)
		}
		calls := c.calls()
		last := calls[len(calls)-1]
		if last.AtMillis < before || last.AtMillis > time.Now().UnixMilli() {
			t.Errorf("%s/%s was recorded at %d, which is not now", def.provider, def.name, last.AtMillis)
		}
		last.AtMillis = 0
		if want := (ledger.Call{Provider: def.provider, Action: def.name, OrderID: "order-1", Key: "key-1", Status: 200, Accepted: true, Effect: true}); last != want {
			t.Errorf("%s/%s was recorded as %+v, want %+v", def.provider, def.name, last, want)
		}
	}
	if got := c.must(200, "GET", "/calls?provider=logistics", ""); strings.Count(got, "\n") != 2 {
		t.Errorf("the calls of one provider are\n%s\nwant its two", got)
	}
}

func TestAnOrderIsNamedInAnyOfThreeWays(t *testing.T) {
	c := start(t, Config{})
	c.fast()
	for _, body := range []string{order1, `{"order":{"id":"order-1"}}`, `{"templateId":"order_paid","to":"x","parameters":{"orderId":"order-1"}}`} {
		if got := c.must(200, "POST", "/sms/send", body); !strings.Contains(got, `"id":"order-1"`) {
			t.Errorf("%s was answered with %s", body, got)
		}
	}
	c.must(400, "POST", "/sms/send", `{"to":"x"}`)
}

func TestRepeatedKeyHasOneEffectWhereKeysAreHonoured(t *testing.T) {
	c := start(t, Config{})
	c.fast()
	send := func(key string) bool {
		t.Helper()
		return strings.Contains(c.must(200, "POST", "/sms/send", order1, "Idempotency-Key", key), `"duplicate":true`)
	}
	if send("a") || !send("a") || send("b") {
		t.Error("want the second call with key a, and it alone, to be a duplicate")
	}
	c.must(200, "POST", "/points/credit", order1, "Idempotency-Key", "a") // Another action's keys are its own.
	c.must(204, "PUT", "/control/sms", `{"honourKeys":false}`)
	if send("a") {
		t.Error("a provider that honours no keys calls a repeated key a duplicate")
	}
	var effects []bool
	for _, call := range c.calls() {
		effects = append(effects, call.Effect)
	}
	if want := []bool{true, false, true, true, true}; !slices.Equal(effects, want) {
		t.Errorf("effects %v, want %v", effects, want)
	}
	if got := c.must(200, "GET", "/stats", ""); !strings.Contains(got, `{"provider":"sms","action":"send","calls":4,"accepted":4,"effects":3}`) {
		t.Errorf("stats %s, want 4 calls and 3 effects of sms/send", got)
	}
}

func TestEachModeLooksLikeItsFault(t *testing.T) {
	type want struct {
		status   int    // of the answer; 0 is none
		body     string // part of it
		err      error
		accepted bool
	}
	tests := map[string]struct {
		control string
		want    want
	}{
		"dead":                      {`{"mode":"down"}`, want{err: syscall.ECONNRESET}},
		"never answers":             {`{"mode":"blackhole"}`, want{err: context.DeadlineExceeded}},
		"resets inside the body":    {`{"mode":"reset"}`, want{status: 200, err: syscall.ECONNRESET}},
		"fails":                     {`{"mode":"status","status":503}`, want{status: 503, body: "Service Unavailable"}},
		"answers garbage":           {`{"mode":"garbage"}`, want{status: 200, body: "<html>"}},
		"says 200 and means no":     {`{"mode":"error200"}`, want{status: 200, body: "SYSTEM_ERROR"}},
		"answers far too much":      {`{"mode":"big"}`, want{status: 200, body: "xxxxxxxx", accepted: true}},
		"sends callers in a circle": {`{"mode":"redirect"}`, want{status: 307}},
		"drips":                     {`{"mode":"drip"}`, want{status: 200, err: context.DeadlineExceeded, accepted: true}},
		"is slow, and caller left":  {`{"latency":"1500ms","sigma":0}`, want{err: context.DeadlineExceeded, accepted: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t, Config{})
			c.fast()
			c.must(204, "PUT", "/control/sms", test.control)
			c.http.Timeout = 0
			c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if !errors.Is(test.want.err, context.DeadlineExceeded) {
				ctx = t.Context()
			}
			status, body, err := post(ctx, c)
			if status != test.want.status || !strings.Contains(body, test.want.body) || !errors.Is(err, test.want.err) {
				t.Errorf("answer %d, %.60q, %v; want %+v", status, body, err, test.want)
			}
			// A provider at work records the call when it has done it, not when its caller leaves.
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				if calls := c.calls(); len(calls) == 1 {
					if calls[0].Accepted != test.want.accepted || calls[0].Effect != test.want.accepted {
						t.Errorf("recorded %+v, want accepted %v", calls[0], test.want.accepted)
					}
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("%d calls recorded, want 1", len(calls))
				}
			}
			// The others are well.
			c.must(200, "POST", "/points/credit", order1)
		})
	}
}

func post(ctx context.Context, c client) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/sms/send", strings.NewReader(order1))
	if err != nil {
		return 0, "", err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	return res.StatusCode, string(content), err
}

func TestLimitIsTheWholeAccounts(t *testing.T) {
	c := start(t, Config{})
	c.fast()
	c.must(204, "PUT", "/control/logistics", `{"ratePerSecond":0.001,"burst":2,"retryAfter":"1500ms"}`)
	c.must(200, "POST", "/logistics/waybill", order1)
	c.must(200, "POST", "/logistics/shipment", order1)
	res, _, err := c.do("POST", "/logistics/waybill", order1)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "2" {
		t.Errorf("third call: %s, Retry-After %q; want 429 and 2", res.Status, res.Header.Get("Retry-After"))
	}
	c.must(204, "PUT", "/control/logistics/waybill", `{"latency":"0s"}`)
	c.must(429, "POST", "/logistics/waybill", order1) // Another change does not refill the account.
	c.must(200, "POST", "/sms/send", order1)
	if calls := c.calls(); calls[2].Accepted || calls[2].Status != 429 {
		t.Errorf("the limited call was recorded as %+v, want it not accepted", calls[2])
	}
}

func TestLatencyIsRepeatableAndAroundItsMedian(t *testing.T) {
	draw := func() []time.Duration {
		s := New(Config{Seed: 7})
		var out []time.Duration
		for range 1001 {
			out = append(out, s.plan(0).latency)
		}
		return out
	}
	one, other := draw(), draw()
	if !slices.Equal(one, other) {
		t.Error("the same seed gives other latencies")
	}
	slices.Sort(one)
	if median := one[500]; median < 90*time.Millisecond || median > 110*time.Millisecond {
		t.Errorf("median %v, want about 100ms", median)
	}
	if p99 := one[990]; p99 < 140*time.Millisecond || p99 > 190*time.Millisecond {
		t.Errorf("p99 %v, want about 100ms · e^(2.33 · 0.2) = 159ms", p99)
	}
}

func TestControlRefusesWhatItDoesNotKnow(t *testing.T) {
	c := start(t, Config{})
	for body, want := range map[string]string{
		`{"mode":"sick"}`:   `mode \"sick\" is unknown`,
		`{"mode":"status"}`: "needs a status",
		`{"latency":"-1s"}`: "cannot be negative",
		`{"latency":100}`:   "a duration is a string",
		`{"delay":"1s"}`:    "unknown field",
		`{`:                 "unexpected EOF",
	} {
		if got := c.must(400, "PUT", "/control/sms", body); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", body, got, want)
		}
	}
	c.must(404, "PUT", "/control/fax", `{}`)
	c.must(404, "GET", "/control/sms/receive", "")
	c.must(400, "POST", "/sms/send", `{"text":"hello"}`)
	var got map[string]Behaviour
	if err := json.Unmarshal([]byte(c.must(200, "GET", "/control/sms", "")), &got); err != nil {
		t.Fatal(err)
	}
	if got["send"] != healthy(100*time.Millisecond) {
		t.Errorf("after refused changes sms is %+v, want it as it was", got["send"])
	}
}

func TestAShareOfCallsGetsTheMode(t *testing.T) {
	s := New(Config{Seed: 7})
	s.actions[0].behaviour.Mode, s.actions[0].behaviour.Share = Down, 0.5
	sick := 0
	for range 1000 {
		if s.plan(0).behaviour.Mode == Down {
			sick++
		}
	}
	if sick < 450 || sick > 550 {
		t.Errorf("%d of 1000 calls are sick, want about half", sick)
	}
}

func TestResetForgetsAndHeals(t *testing.T) {
	c := start(t, Config{})
	c.fast()
	c.must(200, "POST", "/sms/send", order1, "Idempotency-Key", "a")
	c.must(204, "PUT", "/control/sms", `{"mode":"down","ratePerSecond":1}`)
	c.must(204, "POST", "/reset", "")
	c.fast()
	if got := c.must(200, "POST", "/sms/send", order1, "Idempotency-Key", "a"); strings.Contains(got, "true") {
		t.Errorf("a forgotten key: %s, want no duplicate", got)
	}
	if n := len(c.calls()); n != 1 {
		t.Errorf("%d calls, want the one since the reset", n)
	}
}

func TestStubThatCannotRecordAcceptsNothing(t *testing.T) {
	c := start(t, Config{CallLimit: 10})
	c.fast()
	var callers sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for n := range 30 {
		callers.Go(func() {
			res, _, err := c.do("POST", "/sms/send", fmt.Sprintf(`{"orderId":"o-%d"}`, n))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[res.StatusCode]++
		})
	}
	callers.Wait()
	if statuses[200] != 10 || statuses[507] != 20 || len(c.calls()) != 10 {
		t.Errorf("answers %v and %d calls recorded, want 10 of each and 20 times 507", statuses, len(c.calls()))
	}
}

// A dead provider must not look alive to a new connection either.
func TestDeadProviderResetsNewConnections(t *testing.T) {
	c := start(t, Config{})
	c.must(204, "PUT", "/control/sms", `{"mode":"down"}`)
	for range 3 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /sms/send HTTP/1.1\r\nHost: sms\r\nContent-Length: %d\r\n\r\n%s", len(order1), order1)
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %v, want a reset", err)
		}
		conn.Close()
	}
}

func TestMoreCallsThanItsCapacityCostAProviderGoodput(t *testing.T) {
	const alone = 100 * time.Millisecond
	b := Behaviour{Capacity: 10}
	for atOnce, want := range map[int]time.Duration{1: alone, 10: alone, 20: 4 * alone, 30: 9 * alone} {
		if got := b.crowded(alone, atOnce); got != want {
			t.Errorf("with %d at once a call takes %v, want %v", atOnce, got, want)
		}
	}
	if got := (Behaviour{}).crowded(alone, 1000); got != alone {
		t.Errorf("without a capacity a call takes %v, want %v", got, alone)
	}
}

func TestAnInstantProviderAnswersEveryRequestOfAConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	served := make(chan error, 1)
	go func() { served <- ServeInstant(listener, func() { calls.Add(1) }) }()
	c := client{t, "http://" + listener.Addr().String(), &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}}
	for range 3 {
		if got := c.must(200, "POST", "/sms/send", order1); got != `{"code":"OK"}` {
			t.Errorf("answered %q", got)
		}
	}
	if calls.Load() != 3 {
		t.Errorf("%d calls were told, want 3", calls.Load())
	}
	c.http.CloseIdleConnections()
	listener.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
