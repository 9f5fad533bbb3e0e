// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/producer"
	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/stub"
)

func TestLoadPaysEveryPlannedOrder(t *testing.T) {
	b := binding(t)
	c := start(t, Config{Binding: b})
	var begun, status LoadStatus
	c.must(201, "POST", "/load", LoadRequest{RatePerSecond: 100, Duration: "2s", Mode: "decoupled", SendMode: "Sync", Outbox: true, Seed: 3}, &begun)
	eventually(t, func() error {
		c.must(200, "GET", "/load/"+begun.ID, nil, &status)
		if status.State != "done" {
			return fmt.Errorf("load %+v", status)
		}
		return nil
	})
	n := status.Planned
	if n < 150 || n > 250 || status.Started != n || status.Done != n || status.Failed != 0 || status.Told[ledger.Accepted] != n {
		t.Errorf("load %+v, want all of about 200 orders accepted", status)
	}
	samples, err := evidence.ReadSamples(bytes.NewReader(c.must(200, "GET", "/load/"+begun.ID+"/samples", nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if len(samples["pay_ms"]) != n || evidence.Quantile(samples["pay_ms"], 0.99) != status.Total.P99Millis || slices.Min(samples["pay_ms"]) <= 0 {
		t.Errorf("%d samples, want %d that give the status' p99", len(samples["pay_ms"]), n)
	}
	orders := c.orders("?load=" + begun.ID)
	if len(orders) != n || len(c.orders("?load=999")) != 0 {
		t.Errorf("%d orders of the load, want %d and none of another", len(orders), n)
	}
	eventually(t, func() error {
		for _, o := range c.orders("") {
			if !o.Relayed {
				return fmt.Errorf("row of %s not removed", o.ID)
			}
		}
		return nil
	})
	waitStored(t, b.Topic, n)
}

func TestStoppedLoadEndsWhatItBegan(t *testing.T) {
	third := httptest.NewServer(stub.New(stub.Config{}))
	defer third.Close()
	c := start(t, Config{ThirdParties: third.URL, CallTimeout: patience})
	var status LoadStatus
	c.must(201, "POST", "/load", LoadRequest{RatePerSecond: 20, Duration: "10m", Mode: "coupled"}, &status)
	path := "/load/" + status.ID
	eventually(t, func() error {
		if c.must(200, "GET", path, nil, &status); status.Started < 3 {
			return fmt.Errorf("%d orders begun", status.Started)
		}
		return nil
	})
	c.must(204, "DELETE", path, nil, nil)
	eventually(t, func() error {
		if c.must(200, "GET", path, nil, &status); status.State != "stopped" {
			return fmt.Errorf("load is %s", status.State)
		}
		return nil
	})
	if status.Done != status.Started || status.Done >= status.Planned {
		t.Errorf("%d begun, %d ended of %d planned; want all begun ended, and fewer than planned", status.Started, status.Done, status.Planned)
	}
}

// TestStallShowsInEveryOrderThatWasDue is what an open loop is for: a closed one would have sent one slow order.
func TestStallShowsInEveryOrderThatWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var arrivals []time.Duration
		for n := range 100 {
			arrivals = append(arrivals, time.Duration(n)*10*time.Millisecond)
		}
		counter := make(chan struct{}, 1) // Serves one buyer at a time.
		first := true
		l := &load{arrivals: arrivals, orders: make([]producer.OrderEvent, len(arrivals)), begin: time.Now()}
		l.run(t.Context(), func(context.Context, producer.OrderEvent, manner) error {
			counter <- struct{}{}
			defer func() { <-counter }()
			if first {
				first = false
				time.Sleep(time.Second)
			}
			return nil
		})
		total := l.status().Total
		// The order due at t waited until 1 s: latencies are 1000, 990, …, 10 ms.
		if total.P50Millis != 505 || total.MaxMillis != 1000 {
			t.Errorf("p50 %vms, max %vms; want 505 and 1000", total.P50Millis, total.MaxMillis)
		}
	})
}

func TestLoadsThatCannotBeAreRefused(t *testing.T) {
	b := binding(t)
	decoupled := start(t, Config{Binding: b})
	coupled := start(t, Config{ThirdParties: "http://127.0.0.1:1"})
	for name, test := range map[string]struct {
		shop client
		req  LoadRequest
		want string
	}{
		"no rate":                      {decoupled, LoadRequest{Duration: "1s", Mode: "decoupled"}, "must both be positive"},
		"no unit":                      {decoupled, LoadRequest{RatePerSecond: 1, Duration: "1", Mode: "decoupled"}, "must both be positive"},
		"neither coupled nor not":      {decoupled, LoadRequest{RatePerSecond: 1, Duration: "1s", Mode: "both"}, `mode \"both\" is unknown`},
		"a send mode for no sending":   {coupled, LoadRequest{RatePerSecond: 1, Duration: "1s", Mode: "coupled", SendMode: "Sync"}, "only for mode decoupled"},
		"an outbox for no sending":     {coupled, LoadRequest{RatePerSecond: 1, Duration: "1s", Mode: "coupled", Outbox: true}, "has no outbox"},
		"no third parties":             {decoupled, LoadRequest{RatePerSecond: 1, Duration: "1s", Mode: "coupled"}, "need the third parties' URL"},
		"no binding":                   {coupled, LoadRequest{RatePerSecond: 1, Duration: "1s", Mode: "decoupled"}, "no producer binding"},
		"unknown send mode":            {decoupled, LoadRequest{RatePerSecond: 1, Duration: "1s", Mode: "decoupled", SendMode: "Fax"}, `cannot send \"Fax\"`},
		"an outbox nobody can confirm": {decoupled, LoadRequest{RatePerSecond: 1, Duration: "1s", Mode: "decoupled", SendMode: "Oneway", Outbox: true}, "nothing confirms"},
		"more than the shop holds":     {decoupled, LoadRequest{RatePerSecond: 1e6, Duration: "1h", Mode: "decoupled"}, "more orders than are left"},
	} {
		t.Run(name, func(t *testing.T) {
			test.shop.t = t
			if got := string(test.shop.must(422, "POST", "/load", test.req, nil)); !strings.Contains(got, test.want) {
				t.Errorf("answer %s, want %q", got, test.want)
			}
		})
	}
	decoupled.must(404, "GET", "/load/7", nil, nil)
}
