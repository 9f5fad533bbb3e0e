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
	"github.com/orderflow-dev/orderflow/test/bubble"
	"github.com/orderflow-dev/orderflow/test/stub"
)

const queues = 10

// shop has a group of several pods, and a third party that can be down.
type shop struct {
	*bubble.Broker
	credentials workersync.Credentials
	pods        []*pod
	// moved is what the operator does when the broker's offsets moved.
	moved func()

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
	s := &shop{Broker: bubble.NewBroker(t, queues), moved: func() {}, down: map[string]bool{}}
	var err error
	s.credentials, err = workersync.NewCredentials(worker.SyncServerName("shop", bubble.Group), time.Now())
	s.Must(err)
	for i := range pods {
		s.pods = append(s.pods, s.start(fmt.Sprint("push-", i), fmt.Sprint("10.0.0.", i+1)))
	}
	time.Sleep(time.Minute) // all are members, and have their queues
	return s
}

// Pay puts messages into the topic, and moves its offsets by it.
func (s *shop) Pay(orders int) {
	s.Helper()
	s.Broker.Pay(orders)
	s.moved()
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
	name := types.NamespacedName{Namespace: "shop", Name: bubble.Group}
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
	syncer.Expect(name, workersync.Group{ServerName: worker.SyncServerName("shop", bubble.Group), Credentials: s.credentials})
	s.moved = func() { syncer.Soon(name) }
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- syncer.Start(ctx) }()
	return func() []workersync.Report { return syncer.Reports(name) }, func() {
		cancel()
		s.Must(<-ended)
		syncer.Forget(name)
	}
}

// pod is a worker with its side of the sync call.
type pod struct {
	bubble.Worker
	name, address string
	door          stub.Pipe
}

func (s *shop) start(name, address string) *pod {
	s.Helper()
	p := &pod{name: name, address: address, Worker: s.Start(name, 8, time.Second, s.party(name))}
	pair, err := tls.X509KeyPair(s.credentials.Certificate, s.credentials.Key)
	s.Must(err)
	p.door = bubble.Serve(s.T, p, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
	return p
}

// ServeHTTP is the pod's side of the sync call, as far as it is about third parties.
func (p *pod) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var request worker.SyncRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	for _, h := range request.Holds {
		p.Adapter.Hold(h.Lease.D())
	}
	now := p.Consumer.Snapshot()
	answer := worker.SyncResponse{InFlight: now.InFlight, Parked: now.Parked, Adapters: []worker.AdapterReport{p.Adapter.Report()}}
	for _, q := range now.Queues {
		answer.Waiting += q.Waiting
	}
	_ = json.NewEncoder(rw).Encode(answer) // the operator sees a lost answer
}
