// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/handler"
	"github.com/orderflow-dev/orderflow/runtime/telemetry"
	"github.com/orderflow-dev/orderflow/test/rig"
	"github.com/orderflow-dev/orderflow/test/stub"
)

const (
	// simulated is how long a third party is away in time that passes at once.
	simulated = 25 * time.Hour
	// simulatedOrders are paid before, and as many in the middle of the outage.
	simulatedOrders = 100
)

// world is a data plane in one process and one bubble of time: what a worker is made of, a broker in memory, and a third party on pipes.
type world struct {
	*testing.T
	cluster *fake.Cluster
	client  *rocketmq.Client
	broker  *fake.Broker
	down    atomic.Bool
	calls   atomic.Int64 // that were answered well
}

// simulateOutage lets a third party be away for more than a day: nothing is lost, no attempt is burnt, and when it is back everything is sent.
func simulateOutage(t *testing.T, r *record) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, cluster: fake.StartInMemory(t, fake.Config{})}
		w.client = rocketmq.NewClient(rocketmq.Config{DialContext: w.cluster.DialContext})
		defer w.client.Close()
		w.broker = w.cluster.Broker()
		w.declare()
		stop := w.consume()
		w.pay(0, simulatedOrders/2)
		rig.Wait(t.Context(), time.Minute)
		w.down.Store(true)
		began := time.Now()
		w.pay(simulatedOrders/2, simulatedOrders)
		rig.Wait(t.Context(), simulated/2)
		w.pay(simulatedOrders, 2*simulatedOrders)
		rig.Wait(t.Context(), simulated/2)
		w.down.Store(false)
		lasted := time.Since(began)
		rig.Wait(t.Context(), time.Hour) // the last retry is due
		stop()
		if n := w.calls.Load(); n != 2*simulatedOrders {
			t.Errorf("%d orders had their effect, want %d", n, 2*simulatedOrders)
		}
		noteOutage(r, int(w.stored(rocketmq.DeadLetterTopic("push"))), w.stored(rocketmq.RetryTopic("push")))
		r.figure("outage_sim_h", `total("%s")`, "x >= 24.0", lasted.Hours())
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) queue(topic string) rocketmq.Queue {
	return rocketmq.Queue{Topic: topic, Broker: w.broker.Name(), ID: 0}
}

func (w *world) declare() {
	w.Helper()
	w.must(w.client.PutGroup(w.Context(), w.broker.Addr(), rocketmq.NewGroupConfig("push")))
	for _, topic := range []string{"Orders", rocketmq.RetryTopic("push"), rocketmq.DeadLetterTopic("push")} {
		w.must(w.client.PutTopic(w.Context(), w.broker.Addr(), rocketmq.TopicConfig{Name: topic, ReadQueues: 1, WriteQueues: 1, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
		w.must(w.client.CommitOffset(w.Context(), w.broker.Addr(), "push", w.queue(topic), 0))
	}
}

func (w *world) pay(from, to int) {
	w.Helper()
	for range to - from {
		_, err := w.client.Send(w.Context(), w.broker.Addr(), rocketmq.SendRequest{Group: "shop", Queue: w.queue("Orders"), Messages: []rocketmq.OutMessage{{Body: []byte(`{"id":"o"}`)}}})
		w.must(err)
	}
}

func (w *world) stored(topic string) int64 {
	w.Helper()
	n, err := w.client.MaxOffset(w.Context(), w.broker.Addr(), w.queue(topic))
	w.must(err)
	return n
}

// consume runs what a worker is made of, without its servers, whose ports would hold up the bubble's clock.
func (w *world) consume() (stop func()) {
	w.Helper()
	structure, live := w.declared()
	metrics, transport := telemetry.New(structure), adapter.NewTransport(nil, structure.Concurrency)
	listener := make(stub.Pipe)
	server := &http.Server{Handler: w, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // it ends by Close
	transport.DialContext = listener.Dial
	third, err := adapter.New(adapter.Config{Spec: structure.Adapters[0], Limits: live.Adapters[0], Transport: transport, Observer: metrics})
	w.must(err)
	h, err := handler.New(handler.Config{Structure: structure, Adapters: map[string]handler.Caller{"sms": third}})
	w.must(err)
	d, err := delivery.New(delivery.Config{Handler: h, Structure: structure, Observer: metrics, Log: slog.New(slog.DiscardHandler), Clock: func() (time.Time, bool) { return time.Now(), true }})
	w.must(err)
	c, err := consumer.New(consumer.Config{
		NameServers: structure.NameServers, Remoting: rocketmq.Config{DialContext: w.cluster.DialContext}, Group: structure.Group, Instance: "pod-0",
		Topic: structure.Topic, Handler: d, Concurrency: structure.Concurrency, MaxAttempts: structure.Retry.MaxAttempts, Observer: metrics,
	})
	w.must(err)
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return func() {
		cancel()
		w.must(<-ended)
		transport.CloseIdleConnections()
		w.must(server.Close())
	}
}

func (w *world) declared() (worker.Structure, worker.Live) {
	structure := worker.Structure{
		Version: worker.Version, Namespace: "rig", Name: "push", NameServers: []string{w.cluster.NameServer()}, Group: "push", Topic: "Orders", TagExpression: "*",
		Mode: worker.ModePush, MaxUncommitted: 256, Concurrency: outageConcurrency, TerminationGrace: worker.Duration(30 * time.Second),
		Retry:    worker.Retry{MaxAttempts: 16, MaxDuration: worker.Duration(24 * time.Hour)},
		Handler:  worker.Handler{Type: worker.HandlerPush, Push: &worker.PushHandler{Adapter: "sms", Path: "/sms", TemplateID: "t", ToExpression: "order.id"}},
		Adapters: []worker.Adapter{{Name: "sms", URL: "http://sms.example", Idempotency: worker.Idempotency{KeysHonoured: true, Header: "Idempotency-Key", Window: worker.Duration(48 * time.Hour)}}},
	}
	return structure, worker.Live{Version: worker.Version, Revision: "r1", Adapters: []worker.AdapterLimits{{
		Name: "sms", Timeout: worker.Duration(2 * time.Second), RequestAttempts: 1, RetryDelay: worker.Duration(time.Second),
		Breaker: worker.Breaker{FailurePercentage: 50, MinimumRequests: 10, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(30 * time.Second)},
	}}}
}

// ServeHTTP is the third party.
func (w *world) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	if w.down.Load() {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.calls.Add(1)
	_, _ = io.WriteString(rw, "{}")
}
