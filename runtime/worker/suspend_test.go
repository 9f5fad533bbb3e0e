// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// TestASuspendedWorkerCallsNobody suspends a worker by the sync call while a request is under way, and starts another one suspended, from the file.
func TestASuspendedWorkerCallsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fake.StartInMemory(t, fake.Config{})
		shop := newShop(t, cluster.NameServer(), cluster.DialContext)
		var calls atomic.Int32
		provider := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			time.Sleep(300 * time.Millisecond)
			_, _ = w.Write([]byte(`{"code":"OK"}`))
		}))
		structure := structureFor("http://sms.example/sms")
		structure.NameServers, structure.Topic, structure.Group = []string{cluster.NameServer()}, shop.topic, shop.group
		limits := liveFor("r1", nil)
		files := newFiles(t, structure, limits)
		files.DialBroker = cluster.DialContext
		start := func() (w *Worker, stop func()) {
			w, err := New(files.Options)
			shop.must(err)
			w.transport.DialContext = provider.Dial
			return w, shop.run(t, w)
		}
		suspension := func(w *Worker) *worker.Suspension {
			return w.sync(w.consumer.Snapshot(), w.delivery.Totals()).Suspension
		}

		w, stop := start()
		time.Sleep(20 * time.Second) // it is a member, and has looked at the queues
		shop.pay(0, 3)
		time.Sleep(100 * time.Millisecond)
		limits.Revision, limits.Suspended = "r2", worker.ReasonAdapterSuspended
		shop.must(w.live.carry(limits))
		if got := suspension(w); got == nil || !got.Draining {
			t.Errorf("while a request is under way it says %+v", got)
		}
		time.Sleep(10 * time.Second)
		shop.pay(3, 5)
		time.Sleep(time.Hour)
		if diff := cmp.Diff(&worker.Suspension{Reason: worker.ReasonAdapterSuspended}, suspension(w)); diff != "" || calls.Load() != 1 {
			t.Errorf("after an hour %d requests were made, want the one that was under way; (-want +got):\n%s", calls.Load(), diff)
		}
		stop()

		files.writeJSON(files.LiveFile, limits)
		w, stop = start()
		defer stop()
		time.Sleep(time.Minute)
		if got := suspension(w); got == nil || got.Draining || calls.Load() != 1 {
			t.Errorf("a worker that starts suspended says %+v, and %d requests were made", got, calls.Load())
		}
		limits.Revision, limits.Suspended = "r3", ""
		files.writeJSON(files.LiveFile, limits)
		w.live.look()
		time.Sleep(10 * time.Second)
		if got := suspension(w); got != nil || shop.committed() != 5 {
			t.Errorf("it goes on, says %+v, and of 5 orders %d are done", got, shop.committed())
		}
	})
}
