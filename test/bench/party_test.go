// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/test/rig"
	"github.com/orderflow-dev/orderflow/test/stub"
)

// said is a line that a third party prints: its address at first, then when it had been called Warm times, and Measure times more.
type said struct {
	URL string `json:"url,omitempty"`
	// AtNanos is by the clock that all processes of a machine share.
	AtNanos int64 `json:"atNanos,omitempty"`
}

// party is a third party that answers at once, until ctx ends.
func (e engine) party(ctx context.Context) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(e.Address, "0"))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(said{URL: "http://" + listener.Addr().String()}); err != nil {
		return err
	}
	var calls atomic.Int64
	return stub.ServeInstant(listener, func() {
		if n := calls.Add(1); n == e.Warm || n == e.Warm+e.Measure {
			_ = out.Encode(said{AtNanos: time.Now().UnixNano()}) // nobody reads it after a run that failed
		}
	})
}

// calling measures an engine by the calls that reach a third party, which says when the measured ones began and ended. begin starts the engine. One that takes
// longer than within for any of that has no samples.
func (l *lab) calling(t *testing.T, within time.Duration, begin func(url string) (pid int, end func())) map[string][]float64 {
	t.Helper()
	p := start(t, engine{Kind: party, Address: l.address, Warm: chainWarm, Measure: chainMeasured}.command(t), brokerCore)
	defer p.kill()
	at, ok := p.hears(within)
	if !ok {
		t.Fatal("the third party does not start")
	}
	pid, end := begin(at.URL)
	defer end()
	from, _ := p.hears(within)
	before := rig.CPU(t, pid)
	to, ok := p.hears(within)
	if !ok {
		return nil
	}
	r := result{Count: chainMeasured, TookNanos: to.AtNanos - from.AtNanos, CPUNanos: int64(rig.CPU(t, pid) - before)}
	samples := r.samples()
	samples["rss_mib"] = []float64{float64(rig.Resident(t, pid)) / (1 << 20)}
	return samples
}

// hears waits for the next line of a third party. One that says nothing for so long is ended.
func (p *process) hears(within time.Duration) (s said, ok bool) {
	timeout := time.AfterFunc(within, func() { _ = p.Process.Kill() }) // Decode tells
	defer timeout.Stop()
	return s, p.stdout.Decode(&s) == nil
}

// kill ends a process that has nothing to hand over.
func (p *process) kill() {
	_ = p.Process.Kill()
	_ = p.Wait() // it was killed, that is all it says
}
