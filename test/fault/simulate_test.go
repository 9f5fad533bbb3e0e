// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/bubble"
	"github.com/orderflow-dev/orderflow/test/rig"
)

const (
	// simulated is how long a third party is away in time that passes at once.
	simulated = 25 * time.Hour
	// simulatedOrders are paid before, and as many in the middle of the outage.
	simulatedOrders = 100
)

// sometimesDown is a third party.
type sometimesDown struct {
	down  atomic.Bool
	calls atomic.Int64 // that were answered well
}

// simulateOutage lets a third party be away for more than a day: nothing is lost, no attempt is burnt, and when it is back everything is sent.
func simulateOutage(t *testing.T, r *record) {
	synctest.Test(t, func(t *testing.T) {
		party, broker := &sometimesDown{}, bubble.NewBroker(t, 1)
		w := broker.Start("pod-0", outageConcurrency, 30*time.Second, party)
		broker.Pay(simulatedOrders / 2)
		rig.Wait(t.Context(), time.Minute)
		party.down.Store(true)
		began := time.Now()
		broker.Pay(simulatedOrders / 2)
		rig.Wait(t.Context(), simulated/2)
		broker.Pay(simulatedOrders)
		rig.Wait(t.Context(), simulated/2)
		party.down.Store(false)
		lasted := time.Since(began)
		rig.Wait(t.Context(), time.Hour) // the last retry is due
		w.Stop()
		if n := party.calls.Load(); n != 2*simulatedOrders {
			t.Errorf("%d orders had their effect, want %d", n, 2*simulatedOrders)
		}
		noteOutage(r, int(broker.Stored(rocketmq.DeadLetterTopic(bubble.Group))), broker.Stored(rocketmq.RetryTopic(bubble.Group)))
		r.figure("outage_sim_h", `total("%s")`, "x >= 24.0", lasted.Hours())
	})
}

// ServeHTTP implements http.Handler.
func (p *sometimesDown) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	if p.down.Load() {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	p.calls.Add(1)
	_, _ = io.WriteString(rw, "{}")
}
