// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package spread

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/handler"
	"github.com/orderflow-dev/orderflow/runtime/telemetry"
	"github.com/orderflow-dev/orderflow/test/stub"
)

const (
	group  = "push"
	topic  = "Orders"
	queues = 10
)

// shop has a group of several pods, and a third party that can be down.
type shop struct {
	*testing.T
	cluster     *fake.Cluster
	client      *rocketmq.Client
	broker      *fake.Broker
	credentials workersync.Credentials
	pods        []*pod
	paid        int

	mu sync.Mutex
	// down names the pods whose requests fail.
	down  map[string]bool
	calls []call
}

// call is a request to the third party.
type call struct {
	pod string
	at  time.Time
	ok  bool
}

func newShop(t *testing.T, pods int) *shop {
	t.Helper()
	s := &shop{T: t, cluster: fake.StartInMemory(t, fake.Config{}), down: map[string]bool{}}
	s.client = rocketmq.NewClient(rocketmq.Config{DialContext: s.cluster.DialContext})
	t.Cleanup(s.client.Close)
	s.broker = s.cluster.Broker()
	var err error
	s.credentials, err = workersync.NewCredentials(worker.SyncServerName("shop", group), time.Now())
	s.must(err)
	s.must(s.client.PutGroup(t.Context(), s.broker.Addr(), rocketmq.NewGroupConfig(group)))
	for _, name := range []string{topic, rocketmq.RetryTopic(group), rocketmq.DeadLetterTopic(group)} {
		s.must(s.client.PutTopic(t.Context(), s.broker.Addr(), rocketmq.TopicConfig{Name: name, ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
		for id := range queues {
			s.must(s.client.CommitOffset(t.Context(), s.broker.Addr(), group, rocketmq.Queue{Topic: name, Broker: s.broker.Name(), ID: id}, 0))
		}
	}
	for i := range pods {
		s.pods = append(s.pods, s.start(fmt.Sprint("push-", i), fmt.Sprint("10.0.0.", i+1)))
	}
	time.Sleep(time.Minute) // all are members, and have their queues
	return s
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// pay sends so many orders, over all queues.
func (s *shop) pay(orders int) {
	s.Helper()
	for range orders {
		q := rocketmq.Queue{Topic: topic, Broker: s.broker.Name(), ID: s.paid % queues}
		s.paid++
		_, err := s.client.Send(s.Context(), s.broker.Addr(), rocketmq.SendRequest{Group: "shop", Queue: q, Messages: []rocketmq.OutMessage{{Body: []byte(`{"id":"o"}`)}}})
		s.must(err)
	}
}

// fail makes the third party down for the requests of some pods, or well for all.
func (s *shop) fail(pods ...*pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.down)
	for _, p := range pods {
		s.down[p.name] = true
	}
}

// party is the third party as one pod reaches it.
func (s *shop) party(pod string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		down := s.down[pod]
		s.calls = append(s.calls, call{pod, time.Now(), !down})
		if down {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(rw, "{}")
	})
}

// since are the calls since then, by pod, of those that succeeded or failed.
func (s *shop) since(then time.Time, ok bool) map[string][]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	byPod := map[string][]time.Time{}
	for _, c := range s.calls {
		if !c.at.Before(then) && c.ok == ok {
			byPod[c.pod] = append(byPod[c.pod], c.at)
		}
	}
	return byPod
}

// operate runs the operator's sync call until stop.
func (s *shop) operate() (reports func() []workersync.Report, stop func()) {
	name := types.NamespacedName{Namespace: "shop", Name: group}
	doors := map[string]stub.Pipe{}
	var list []corev1.Pod
	for _, p := range s.pods {
		doors[net.JoinHostPort(p.address, "8443")] = p.door
		list = append(list, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: p.name}, Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: p.address}})
	}
	syncer := workersync.New(workersync.Config{
		Pods:   func(context.Context, types.NamespacedName) ([]corev1.Pod, error) { return list, nil },
		Logger: slog.New(slog.DiscardHandler), Port: 8443,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return doors[address].Dial(ctx, network, address)
		},
	})
	syncer.Expect(name, workersync.Group{ServerName: worker.SyncServerName("shop", group), Credentials: s.credentials})
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- syncer.Start(ctx) }()
	return func() []workersync.Report { return syncer.Reports(name) }, func() {
		cancel()
		s.must(<-ended)
		syncer.Forget(name)
	}
}

// pod is what a worker is made of, with its side of the sync call.
type pod struct {
	name, address string
	door          stub.Pipe
	adapter       *adapter.Adapter
	consumer      *consumer.Consumer
}

func (s *shop) start(name, address string) *pod {
	s.Helper()
	structure := worker.Structure{
		Version: worker.Version, Namespace: "shop", Name: group, NameServers: []string{s.cluster.NameServer()}, Group: group, Topic: topic, TagExpression: "*",
		Mode: worker.ModePush, MaxUncommitted: 256, Concurrency: 8, TerminationGrace: worker.Duration(30 * time.Second),
		Retry:    worker.Retry{MaxAttempts: 16, MaxDuration: worker.Duration(24 * time.Hour)},
		Handler:  worker.Handler{Type: worker.HandlerPush, Push: &worker.PushHandler{Adapter: "sms", Path: "/sms", TemplateID: "t", ToExpression: "order.id"}},
		Adapters: []worker.Adapter{{Name: "sms", URL: "http://sms.example", Idempotency: worker.Idempotency{KeysHonoured: true, Header: "Idempotency-Key", Window: worker.Duration(48 * time.Hour)}}},
	}
	limits := worker.AdapterLimits{
		Name: "sms", Timeout: worker.Duration(2 * time.Second), RequestAttempts: 1, RetryDelay: worker.Duration(time.Second),
		Breaker: worker.Breaker{FailurePercentage: 50, MinimumRequests: 10, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(time.Second)},
	}
	p := &pod{name: name, address: address}
	metrics, transport, party := telemetry.New(structure), adapter.NewTransport(nil, structure.Concurrency), s.serve(s.party(name), nil)
	transport.DialContext = party.Dial
	var err error
	p.adapter, err = adapter.New(adapter.Config{Spec: structure.Adapters[0], Limits: limits, Transport: transport, Observer: metrics, Callers: structure.Concurrency})
	s.must(err)
	h, err := handler.New(handler.Config{Structure: structure, Adapters: map[string]handler.Caller{"sms": p.adapter}})
	s.must(err)
	d, err := delivery.New(delivery.Config{Handler: h, Structure: structure, Observer: metrics, Log: slog.New(slog.DiscardHandler), Clock: func() (time.Time, bool) { return time.Now(), true }})
	s.must(err)
	p.consumer, err = consumer.New(consumer.Config{
		NameServers: structure.NameServers, Remoting: rocketmq.Config{DialContext: s.cluster.DialContext}, Group: group, Instance: name,
		Topic: topic, Handler: d, Concurrency: structure.Concurrency, MaxAttempts: structure.Retry.MaxAttempts, Observer: metrics,
	})
	s.must(err)
	pair, err := tls.X509KeyPair(s.credentials.Certificate, s.credentials.Key)
	s.must(err)
	p.door = s.serve(p, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.consumer.Run(ctx) }()
	s.Cleanup(func() {
		cancel()
		s.must(<-ended)
		transport.CloseIdleConnections()
	})
	return p
}

// serve serves on a pipe until the test ends, with TLS if it is configured.
func (s *shop) serve(h http.Handler, secure *tls.Config) stub.Pipe {
	door := make(stub.Pipe)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var listener net.Listener = door
	if secure != nil {
		listener = tls.NewListener(door, secure)
	}
	go func() { _ = server.Serve(listener) }() // it ends by Close
	s.Cleanup(func() { _ = server.Close() })
	return door
}

// ServeHTTP is the pod's side of the sync call, as far as it is about third parties.
func (p *pod) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var request worker.SyncRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	for _, h := range request.Holds {
		p.adapter.Hold(h.Lease.D())
	}
	now := p.consumer.Snapshot()
	answer := worker.SyncResponse{InFlight: now.InFlight, Parked: now.Parked, Adapters: []worker.AdapterReport{p.adapter.Report()}}
	for _, q := range now.Queues {
		answer.Waiting += q.Waiting
	}
	_ = json.NewEncoder(rw).Encode(answer) // the operator sees a lost answer
}
