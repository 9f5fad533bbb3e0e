// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/test/stub"
)

// play is a third party that behaves like that until the test ends.
func play(t *testing.T, mode stub.Mode) stub.Pipe {
	t.Helper()
	handler := stub.New(stub.Config{Logger: slog.New(slog.DiscardHandler)})
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPut, "/control/sms/send", strings.NewReader(fmt.Sprintf(`{"mode":%q}`, mode))))
	if answer.Code != http.StatusNoContent {
		t.Fatalf("the third party will not be sick: %s", answer.Body)
	}
	return serve(t, handler)
}

func serve(t *testing.T, handler http.Handler) stub.Pipe {
	t.Helper()
	server, listener := &http.Server{Handler: handler}, make(stub.Pipe)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener
}

// TestWhatASickThirdPartyNeverDoesIsADeadLetterThatSaysWhy lets messages go their whole way: broker, consumer, retries, dead letters.
func TestWhatASickThirdPartyNeverDoesIsADeadLetterThatSaysWhy(t *testing.T) {
	for mode, want := range map[stub.Mode]string{
		stub.Garbage:   "ResponseUnreadable: adapter sms, step push: answered 200, which is not as expected",
		stub.Error200:  "ResponseRejected: adapter sms, step push: answered 200, but response.successExpression is false",
		stub.Big:       "ResponseTooLarge: adapter sms, step push: answered 200 with a body larger than 1048576 bytes",
		stub.Blackhole: "Timeout: adapter sms, step push: no whole answer within 10s",
		stub.Drip:      "Timeout: adapter sms, step push: no whole answer within 10s",
		stub.Reset:     "ConnectionFailed: adapter sms, step push: the connection was closed before the whole answer",
		stub.Down:      "ConnectionFailed: adapter sms, step push: the connection was closed before the whole answer",
	} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := fake.StartInMemory(t, fake.Config{})
				shop := newShop(t, cluster.NameServer(), cluster.DialContext)
				stop := consume(t, shop, cluster, play(t, mode), nil, 1000)
				const orders = 6
				shop.pay(0, orders)
				time.Sleep(5 * time.Minute) // three attempts, 10 and 30 seconds apart
				stop()
				wantBodies := map[string]int{}
				for i := range orders {
					wantBodies[paid(i)] = 1
				}
				bodies := map[string]int{}
				for _, letter := range shop.deadLetters() {
					bodies[string(letter.Body)]++
					detail := "after attempt 3, " + want
					if reason, got := letter.Property("ORDERFLOW_REASON"), letter.Property("ORDERFLOW_DETAIL"); reason != "RetriesExhausted" || !strings.HasPrefix(got, detail) {
						t.Errorf("got %s %q\nwant RetriesExhausted %q", reason, got, detail)
					}
				}
				if diff := cmp.Diff(wantBodies, bodies); diff != "" {
					t.Errorf("dead letters: %s", diff)
				}
				if got := shop.committed(); got != orders {
					t.Errorf("%d orders are committed, want %d", got, orders)
				}
			})
		})
	}
}

// consume makes a worker and runs it until stop. The circuit opens after so many requests.
func consume(t *testing.T, s *shop, cluster *fake.Cluster, provider stub.Pipe, expiry *worker.Expiry, requests int) (stop func()) {
	t.Helper()
	structure := structureFor("http://sms.example/sms")
	structure.NameServers, structure.Topic, structure.Group, structure.Concurrency = []string{cluster.NameServer()}, s.topic, s.group, 8
	structure.Expiry = expiry
	files := newFiles(t, structure, liveFor("r1", func(l *worker.AdapterLimits) { l.Breaker.MinimumRequests = requests }))
	files.DialBroker = cluster.DialContext
	w, err := New(files.Options)
	s.must(err)
	w.transport.DialContext = provider.Dial
	return s.run(t, w)
}

// run runs a worker without its servers, whose ports would hold up the bubble's clock, until stop.
func (s *shop) run(t *testing.T, w *Worker) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.consumer.Run(ctx) }()
	return func() {
		cancel()
		s.must(<-ended)
		w.transport.CloseIdleConnections()
	}
}
