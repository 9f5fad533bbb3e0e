// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// TestAShadowPassesEveryMessageAndSendsNothing has a third party that would be called, a message without what it is mapped and kept in order by, and one that
// is no order.
func TestAShadowPassesEveryMessageAndSendsNothing(t *testing.T) {
	nameServer := broker.Shared(t).NameServer()
	shop, sms := newShop(t, nameServer, nil), newProvider(t)
	structure := structureFor(sms.server.URL)
	structure.NameServers, structure.Topic, structure.Group = []string{nameServer}, shop.topic, shop.group
	structure.PrivateNetworks = []string{sms.addr.String() + "/32"}
	structure.Shadow, structure.OrderKeyExpression = true, "order.phone"
	shop.pay(0, 4)
	shop.send(4, rocketmq.OutMessage{Body: []byte(`{"id":"o4","eventType":"OrderPaid"}`)})
	shop.send(5, rocketmq.OutMessage{Body: []byte("no order")})
	r := start(t, newFiles(t, structure, liveFor("r1", nil)))

	eventually(t, "all messages to be passed", func() bool { return shop.committed() == 6 })
	metrics := r.ask("GET", "/metrics", "")
	for _, want := range []string{
		`outcome="done",reason="Shadowed"} 4`, `outcome="done",reason="MappingFailed"} 1`, `outcome="done",reason="Undecodable"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is not in the metrics", want)
		}
	}
	if strings.Contains(metrics, "orderflow_requests_total{") || len(sms.accepted()) > 0 || len(r.report().Adapters) > 0 {
		t.Error("somebody was called")
	}
	if letters := shop.stored(rocketmq.DeadLetterTopic(shop.group)); letters > 0 {
		t.Errorf("%d dead letters", letters)
	}
	logs := r.logs.text()
	if !strings.Contains(logs, `"path":"/send"`) || !strings.Contains(logs, `to:string(14)`) || !strings.Contains(logs, `"wouldBe":"dead","reason":"MappingFailed"`) || !strings.Contains(logs, `"reason":"OrderKeyFailed"`) {
		t.Errorf("the log does not show what would be sent, and what not:\n%s", logs)
	}
	for _, canary := range []string{phone, password} {
		if strings.Contains(logs+metrics, canary) {
			t.Errorf("%q came out", canary)
		}
	}
}
