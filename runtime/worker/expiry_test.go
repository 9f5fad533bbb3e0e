// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// TestAMessageThatComesTooLateIsADeadLetterAndIsNotSent lets messages go their whole way, to the third party or to the dead letters.
func TestAMessageThatComesTooLateIsADeadLetterAndIsNotSent(t *testing.T) {
	ago := func(d time.Duration) string { return time.Now().Add(-d).Format(time.RFC3339) }
	for sentence, c := range map[string]struct {
		paidAt func() string
		status int           // what the third party answers
		clock  time.Duration // by which the broker's is ahead
		parks  bool          // once its circuit is open
		calls  int32         // and those of probes, where it parks
		letter string        // kind, reason, attempts and the beginning of the detail; "": there is none
	}{
		"paid a minute ago": {paidAt: func() string { return ago(time.Minute) }, status: http.StatusOK, calls: 1},
		"paid longer ago than an SMS is welcome": {paidAt: func() string { return ago(time.Hour) }, status: http.StatusOK,
			letter: "expired TooLate 1: 1h0m20s after the time of expiry.sinceExpression, with expiry.after 30m0s"},
		"the third attempt would be too late": {paidAt: func() string { return ago(29*time.Minute + 15*time.Second) }, status: http.StatusServiceUnavailable, calls: 2,
			letter: "expired TooLate 3: 30m"},
		"it was parked until it was too late": {paidAt: func() string { return ago(29*time.Minute + 15*time.Second) }, status: http.StatusServiceUnavailable, parks: true, calls: 2,
			letter: "expired TooLate 2: 30m"},
		"a broker's clock shows that ours is wrong": {paidAt: func() string { return ago(time.Hour) }, status: http.StatusOK, clock: -time.Hour, calls: 1},
		"when it was paid is no time":               {paidAt: func() string { return phone }, status: http.StatusOK, letter: "dead MappingFailed 1: expiry.sinceExpression yields a string that is no time"},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := fake.StartInMemory(t, fake.Config{})
				cluster.SetClock(c.clock)
				shop := newShop(t, cluster.NameServer(), cluster.DialContext)
				var calls atomic.Int32
				provider := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					calls.Add(1)
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, `{"code":"OK"}`)
				}))
				body := fmt.Sprintf(`{"id":"o1","phone":%q,"paidAt":%q}`, phone, c.paidAt())
				requests := 1000
				if c.parks {
					requests = 1
				}
				stop := consume(t, shop, cluster, provider, &worker.Expiry{After: worker.Duration(30 * time.Minute), SinceExpression: "order.paidAt"}, requests)
				time.Sleep(20 * time.Second) // it is a member, and has looked at the queues
				shop.send(0, rocketmq.OutMessage{Body: []byte(body)})
				time.Sleep(2 * time.Minute)
				stop()
				if n := calls.Load(); n != c.calls && (!c.parks || n < c.calls) {
					t.Errorf("the third party was called %d times, want %d", n, c.calls)
				}
				if n := shop.committed(); n != 1 {
					t.Errorf("%d orders are committed, want 1", n)
				}
				var got string
				for _, l := range shop.deadLetters() {
					got += fmt.Sprintf("%s %s %s: %s", l.Property("ORDERFLOW_KIND"), l.Property("ORDERFLOW_REASON"), l.Property("ORDERFLOW_ATTEMPTS"), l.Property("ORDERFLOW_DETAIL"))
					if string(l.Body) != body {
						t.Errorf("its body is %s, sent was %s", l.Body, body)
					}
				}
				if (got == "") != (c.letter == "") || !strings.HasPrefix(got, c.letter) || strings.Contains(got, phone) {
					t.Errorf("dead letters: %q\nwant %q", got, c.letter)
				}
			})
		})
	}
}
