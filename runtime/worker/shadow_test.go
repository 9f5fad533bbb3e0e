// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/telemetry"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// TestAShadowPassesEveryMessageAndSendsNothing has a third party that would be called, a message without what it is mapped and kept in order by, and one that
// is no order.
func TestAShadowPassesEveryMessageAndSendsNothing(t *testing.T) {
	const orders = 9 // more than a sampled line is written for
	nameServer := broker.Shared(t).NameServer()
	shop, sms := newShop(t, nameServer, nil), newProvider(t)
	structure := structureFor(sms.server.URL)
	structure.NameServers, structure.Topic, structure.Group = []string{nameServer}, shop.topic, shop.group
	structure.PrivateNetworks = []string{sms.addr.String() + "/32"}
	structure.Shadow, structure.OrderKeyExpression = true, "order.phone"
	shop.pay(0, orders)
	shop.send(orders, rocketmq.OutMessage{Body: []byte(`{"id":"o9","eventType":"OrderPaid"}`)})
	shop.send(orders+1, rocketmq.OutMessage{Body: []byte("no order")})
	files := newFiles(t, structure, liveFor("r1", nil))
	files.Log = telemetry.NewLogger(files.logs, slog.LevelInfo)
	r := start(t, files)

	eventually(t, "all messages to be passed", func() bool { return shop.committed() == orders+2 })
	var metrics string
	for _, want := range []string{
		fmt.Sprintf(`outcome="done",reason="Shadowed"} %d`, orders), `outcome="done",reason="MappingFailed"} 1`, `outcome="done",reason="Undecodable"} 1`,
	} {
		eventually(t, want+" in the metrics", func() bool {
			metrics = r.ask("GET", "/metrics", "")
			return strings.Contains(metrics, want)
		})
	}
	if strings.Contains(metrics, "orderflow_requests_total{") || len(sms.accepted()) > 0 || len(r.report().Adapters) > 0 {
		t.Error("somebody was called")
	}
	if letters := shop.stored(rocketmq.DeadLetterTopic(shop.group)); letters > 0 {
		t.Errorf("%d dead letters", letters)
	}
	logs := r.logs.text()
	if n := strings.Count(logs, "request not sent: shadow"); n != orders {
		t.Errorf("%d of %d requests that would be made are in the log", n, orders)
	}
	if !strings.Contains(logs, `"path":"/send"`) || !strings.Contains(logs, `to:string(14)`) || !strings.Contains(logs, `"wouldBe":"dead","reason":"MappingFailed"`) || !strings.Contains(logs, `"reason":"OrderKeyFailed"`) {
		t.Errorf("the log does not show what would be sent, and what not:\n%s", logs)
	}
	for _, canary := range []string{phone, password} {
		if strings.Contains(logs+metrics, canary) {
			t.Errorf("%q came out", canary)
		}
	}
}

// slowly is a log that takes ten seconds for each request that a shadow does not send, as a disk may.
type slowly struct{ slog.Handler }

func (h slowly) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "request not sent: shadow" {
		time.Sleep(10 * time.Second)
	}
	return h.Handler.Handle(ctx, r)
}

func (h slowly) WithAttrs(attrs []slog.Attr) slog.Handler { return slowly{h.Handler.WithAttrs(attrs)} }

// TestWhatIsToBeSkippedPassesAShadowInItsTurn has it wait for another when the list comes.
func TestWhatIsToBeSkippedPassesAShadowInItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fake.StartInMemory(t, fake.Config{})
		shop := newShop(t, cluster.NameServer(), cluster.DialContext)
		structure := structureFor("http://sms.example/sms")
		structure.NameServers, structure.Topic, structure.Group = []string{cluster.NameServer()}, shop.topic, shop.group
		structure.Shadow = true
		limits := liveFor("r1", nil)
		files := newFiles(t, structure, limits)
		files.DialBroker, files.Log = cluster.DialContext, slog.New(slowly{files.Log.Handler()})
		w, err := New(files.Options)
		shop.must(err)
		defer shop.run(t, w)()
		time.Sleep(20 * time.Second) // it is a member, and has looked at the queues
		shop.pay(0, 3)
		time.Sleep(time.Second)
		if s := w.consumer.Snapshot(); s.InFlight != 1 || shop.committed() > 0 {
			t.Fatalf("%d messages are in flight, want one, and the others to wait", s.InFlight)
		}
		limits.Revision, limits.SkipMessageIDs = "r2", []string{"U0", "U1", "U2"}
		shop.must(w.live.carry(limits))
		time.Sleep(time.Minute)
		if got := shop.committed(); got != 3 {
			t.Errorf("%d messages passed, want 3", got)
		}
		if letters := shop.deadLetters(); len(letters) > 0 {
			t.Errorf("a shadow wrote %d dead letters", len(letters))
		}
		if n := len(w.delivery.Skipped()); n != 2 {
			t.Errorf("it says that it skipped %d, want the two that waited", n)
		}
	})
}
