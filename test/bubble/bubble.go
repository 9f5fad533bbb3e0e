// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bubble runs what a worker is made of against a broker in memory and third parties on pipes. Nothing of it waits outside the process, so that hours
// pass at once in a bubble of testing/synctest. A whole worker has servers, whose ports would hold up the bubble's clock.
package bubble

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/handler"
	"github.com/orderflow-dev/orderflow/runtime/telemetry"
	"github.com/orderflow-dev/orderflow/test/stub"
)

// Group consumes the orders.
const Group = "push"

const topic = "Orders"

// Broker has a topic of orders, and its group at the beginning of all queues.
type Broker struct {
	*testing.T
	cluster      *fake.Cluster
	client       *rocketmq.Client
	queues, paid int
}

// NewBroker starts one whose topics have so many queues.
func NewBroker(t *testing.T, queues int) *Broker {
	t.Helper()
	b := &Broker{T: t, cluster: fake.StartInMemory(t, fake.Config{}), queues: queues}
	b.client = rocketmq.NewClient(rocketmq.Config{DialContext: b.cluster.DialContext})
	t.Cleanup(b.client.Close)
	b.Must(b.client.PutGroup(t.Context(), b.addr(), rocketmq.NewGroupConfig(Group)))
	for _, name := range []string{topic, rocketmq.RetryTopic(Group), rocketmq.DeadLetterTopic(Group)} {
		b.Must(b.client.PutTopic(t.Context(), b.addr(), rocketmq.TopicConfig{Name: name, ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
		for id := range queues {
			b.Must(b.client.CommitOffset(t.Context(), b.addr(), Group, b.queue(name, id), 0))
		}
	}
	return b
}

// Must ends the test at an error.
func (b *Broker) Must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *Broker) addr() string { return b.cluster.Broker().Addr() }

func (b *Broker) queue(topic string, id int) rocketmq.Queue {
	return rocketmq.Queue{Topic: topic, Broker: b.cluster.Broker().Name(), ID: id}
}

// Pay sends so many orders, over all queues.
func (b *Broker) Pay(orders int) {
	b.Helper()
	for range orders {
		_, err := b.client.Send(b.Context(), b.addr(), rocketmq.SendRequest{
			Group: "shop", Queue: b.queue(topic, b.paid%b.queues), Messages: []rocketmq.OutMessage{{Body: []byte(`{"id":"o"}`)}},
		})
		b.Must(err)
		b.paid++
	}
}

// Stored is how many messages a topic ever had.
func (b *Broker) Stored(topic string) (n int64) {
	b.Helper()
	for id := range b.queues {
		end, err := b.client.MaxOffset(b.Context(), b.addr(), b.queue(topic, id))
		b.Must(err)
		n += end
	}
	return n
}

// Worker is what one is made of, without its servers.
type Worker struct {
	Adapter  *adapter.Adapter
	Consumer *consumer.Consumer
	// Stop ends it; so does the end of the test.
	Stop func()
}

// Start runs a worker that tells the party of each order. Its circuit opens for so long at first.
func (b *Broker) Start(name string, concurrency int, open time.Duration, party http.Handler) Worker {
	b.Helper()
	s := worker.Structure{
		Version: worker.Version, Namespace: "shop", Name: Group, NameServers: []string{b.cluster.NameServer()}, Group: Group, Topic: topic, TagExpression: "*",
		Mode: worker.ModePush, MaxUncommitted: 256, Concurrency: concurrency, TerminationGrace: worker.Duration(30 * time.Second),
		Retry:    worker.Retry{MaxAttempts: 16, MaxDuration: worker.Duration(24 * time.Hour)},
		Handler:  worker.Handler{Type: worker.HandlerPush, Push: &worker.PushHandler{Adapter: "sms", Path: "/sms", TemplateID: "t", ToExpression: "order.id"}},
		Adapters: []worker.Adapter{{Name: "sms", URL: "http://sms.example", Idempotency: worker.Idempotency{KeysHonoured: true, Header: "Idempotency-Key", Window: worker.Duration(48 * time.Hour)}}},
	}
	limits := worker.AdapterLimits{
		Name: "sms", Timeout: worker.Duration(2 * time.Second), RequestAttempts: 1, RetryDelay: worker.Duration(time.Second),
		Breaker: worker.Breaker{FailurePercentage: 50, MinimumRequests: 10, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(open)},
	}
	metrics, transport := telemetry.New(s), adapter.NewTransport(nil, concurrency)
	transport.DialContext = Serve(b.T, party, nil).Dial
	var w Worker
	var err error
	w.Adapter, err = adapter.New(adapter.Config{Spec: s.Adapters[0], Limits: limits, Transport: transport, Observer: metrics, Callers: concurrency})
	b.Must(err)
	h, err := handler.New(handler.Config{Structure: s, Adapters: map[string]handler.Caller{"sms": w.Adapter}})
	b.Must(err)
	d, err := delivery.New(delivery.Config{Handler: h, Structure: s, Observer: metrics, Log: slog.New(slog.DiscardHandler), Clock: func() (time.Time, bool) { return time.Now(), true }})
	b.Must(err)
	w.Consumer, err = consumer.New(consumer.Config{
		NameServers: s.NameServers, Remoting: rocketmq.Config{DialContext: b.cluster.DialContext}, Group: Group, Instance: name,
		Topic: topic, Handler: d, Concurrency: concurrency, MaxAttempts: s.Retry.MaxAttempts, Observer: metrics,
	})
	b.Must(err)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Consumer.Run(ctx) }()
	w.Stop = sync.OnceFunc(func() {
		cancel()
		b.Must(<-ended)
		transport.CloseIdleConnections()
	})
	b.Cleanup(w.Stop)
	return w
}

// Serve serves on a pipe until the test ends, with TLS if it is configured.
func Serve(t *testing.T, h http.Handler, secure *tls.Config) stub.Pipe {
	t.Helper()
	door := make(stub.Pipe)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var listener net.Listener = door
	if secure != nil {
		listener = tls.NewListener(door, secure)
	}
	go func() { _ = server.Serve(listener) }() // it ends by Close
	t.Cleanup(func() { _ = server.Close() })
	return door
}
