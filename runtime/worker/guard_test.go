// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/internal/dial"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// TestARouteThatLeadsHereIsNotFollowed has a name server that is trusted, and says that the broker is at an address of this machine.
func TestARouteThatLeadsHereIsNotFollowed(t *testing.T) {
	mq := fake.Start(t, fake.Config{})
	shop := newShop(t, mq.NameServer(), nil)
	structure := structureFor("http://sms.example/sms")
	structure.NameServers, structure.Topic, structure.Group = []string{mq.NameServer()}, shop.topic, shop.group
	files := newFiles(t, structure, liveFor("r1", nil))
	guarded := dial.Broker()
	files.DialBroker = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == mq.NameServer() {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		return guarded(ctx, network, addr)
	}
	before := len(mq.Calls(0))
	w, err := New(files.Options)
	files.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	defer func() {
		cancel()
		<-ended // with or without having said goodbye to a broker
	}()
	eventually(t, "the log to say why the broker is not asked", func() bool {
		return strings.Contains(files.logs.text(), "the address 127.0.0.1 is this machine's own") && strings.Contains(files.logs.text(), "set brokerIP1")
	})
	for _, call := range mq.Calls(0)[before:] {
		if call.Host != "namesrv" {
			t.Errorf("%s was asked for %v", call.Host, call.Op)
		}
	}
}
