// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// engine is what a process of a benchmark does.
type engine struct {
	Kind                     kind
	NameServer, Topic, Group string
	Order                    order
	// Concurrency is how many messages are handled at once. Ahead is how many of a queue it holds at most, 0 for its default; of the library, Batch is how many
	// its listener gets, Pull how many it asks for.
	Concurrency, Batch, Pull, Ahead int
	// Warm messages go before the Measure that are measured. Latency says that the time since each was sent is measured too: its body begins with it.
	Warm, Measure int64
	Latency       bool
	// URL is called for every order; "" says that nothing is done.
	URL string
	// Address is this machine's, where a third party listens.
	Address string
	// Profile is where the engine's CPU profile goes; "" makes none.
	Profile string
}

type kind string

const (
	own     kind = "own"
	library kind = "library"
	party   kind = "party" // no engine, but whom engines call
)

// order is what an engine keeps.
type order string

const (
	concurrent order = "concurrent" // none
	keyed      order = "keyed"      // within each order key
	ordered    order = "ordered"    // within each queue
)

// result is what an engine prints: what the measured messages took.
type result struct {
	Count     int64     `json:"count"`
	TookNanos int64     `json:"tookNanos"`
	CPUNanos  int64     `json:"cpuNanos"`
	Latencies []float64 `json:"latencies,omitempty"` // in milliseconds
}

// samples are the result's by name.
func (r result) samples() map[string][]float64 {
	return map[string][]float64{
		"per_s":  {float64(r.Count) / (float64(r.TookNanos) / 1e9)},
		"cpu_us": {float64(r.CPUNanos) / 1000 / float64(r.Count)},
	}
}

// run does what the engine is for until the process's input ends.
func (e engine) run() error {
	ctx := endOfInput()
	if e.Profile != "" {
		file, err := os.Create(e.Profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	switch e.Kind {
	case own:
		return e.own(ctx)
	case library:
		return e.library(ctx)
	case party:
		return e.party(ctx)
	}
	return fmt.Errorf("no engine is called %q", e.Kind)
}

// meter counts messages, and prints the result once.
type meter struct {
	engine
	handled   atomic.Int64
	began     chan struct{} // closed when what is below is set
	begun     time.Time
	cpu       time.Duration
	mu        sync.Mutex
	latencies []float64
}

func newMeter(e engine) *meter { return &meter{engine: e, began: make(chan struct{})} }

// count counts one handled message.
func (m *meter) count(body []byte) {
	if m.Latency {
		m.note(body)
	}
	switch m.handled.Add(1) {
	case m.Warm:
		m.begun, m.cpu = time.Now(), cpuTime()
		close(m.began)
	case m.Warm + m.Measure:
		took, used := time.Since(m.begun), cpuTime()
		<-m.began
		m.print(result{Count: m.Measure, TookNanos: int64(took), CPUNanos: int64(used - m.cpu)})
	}
}

// note notes how long ago the message was sent, by the clock that all processes of a machine share.
func (m *meter) note(body []byte) {
	now := time.Now().UnixNano()
	if m.handled.Load() < m.Warm {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latencies = append(m.latencies, float64(now-int64(binary.BigEndian.Uint64(body)))/1e6)
}

func (m *meter) print(r result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Latencies = m.latencies
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "nobody reads the result:", err)
	}
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
