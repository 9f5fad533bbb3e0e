// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// TestAMessageIsSkippedWhileItIsParked lets a third party be down, and one of two messages be skipped meanwhile: which says nothing of the third party.
func TestAMessageIsSkippedWhileItIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fake.StartInMemory(t, fake.Config{})
		shop := newShop(t, cluster.NameServer(), cluster.DialContext)
		var calls atomic.Int32
		provider := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body struct{ Parameters struct{ OrderID string } }
			if _ = json.NewDecoder(r.Body).Decode(&body); body.Parameters.OrderID == "o2" {
				t.Error("the third party was asked for the order that was to be skipped")
			}
			calls.Add(1)
			time.Sleep(time.Second) // meanwhile the others are fetched
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		structure := structureFor("http://sms.example/sms")
		structure.NameServers, structure.Topic, structure.Group = []string{cluster.NameServer()}, shop.topic, shop.group
		limits := liveFor("r1", func(l *worker.AdapterLimits) { l.Breaker.OpenDuration = worker.Duration(time.Hour) })
		files := newFiles(t, structure, limits)
		files.DialBroker = cluster.DialContext
		w, err := New(files.Options)
		shop.must(err)
		w.transport.DialContext = provider.Dial
		defer shop.run(t, w)()
		time.Sleep(20 * time.Second) // it is a member, and has looked at the queues
		shop.pay(0, 3)               // the first attempt opens the circuit
		time.Sleep(time.Minute)
		if s := w.consumer.Snapshot(); !s.Parked {
			t.Fatal("the worker is not parked")
		}

		limits.Revision, limits.SkipMessageIDs = "r2", []string{"U2", "U9"}
		shop.must(w.live.carry(limits))
		before := calls.Load()
		time.Sleep(time.Second)
		if calls.Load() != before {
			t.Error("there was a probe")
		}
		letters := shop.deadLetters()
		if len(letters) != 1 || string(letters[0].Body) != paid(2) || letters[0].Property("ORDERFLOW_REASON") != "SkippedByID" ||
			letters[0].Property("ORDERFLOW_DETAIL") != "skipMessageIDs of the group names it" || letters[0].Property("ORDERFLOW_ATTEMPTS") != "1" {
			t.Errorf("%d dead letters, want the order that was to be skipped, with its reason", len(letters))
		}
		if s := w.consumer.Snapshot(); !s.Parked {
			t.Error("the worker takes a message that was skipped for a third party that works")
		}
		if got := w.sync(w.consumer.Snapshot(), w.delivery.Totals()).SkippedMessageIDs; !slices.Equal(got, []string{"U2"}) {
			t.Errorf("it says that it skipped %v, want the one it met", got)
		}
		shop.must(w.live.carry(worker.Live{Version: limits.Version, Revision: "r3", Adapters: limits.Adapters}))
		if got := w.delivery.Skipped(); len(got) > 0 {
			t.Errorf("it says of %v that it skipped them, which nobody wants to know any more", got)
		}
	})
}
