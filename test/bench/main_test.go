// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// engineVariable makes this test binary an engine: its options as JSON.
const engineVariable = "ORDERFLOW_BENCH_ENGINE"

func TestMain(m *testing.M) {
	text := os.Getenv(engineVariable)
	if text == "" {
		broker.Main(m, rocketmqtest.Leaks()...) // of the official client
		return
	}
	var e engine
	err := json.Unmarshal([]byte(text), &e)
	if err == nil {
		err = e.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

// TestRuntime measures everything that make bench-runtime writes down.
func TestRuntime(t *testing.T) {
	r := newRecord(t.Context())
	t.Cleanup(func() { r.write(t, "../..") }) // once everything has been measured
	l := newLab(t)
	t.Run("consume", func(t *testing.T) { consume(t, l, r) })
	t.Run("latency", func(t *testing.T) { latency(t, l, r) })
	t.Run("chain", func(t *testing.T) {
		s := newStage(t, l, chainWarm+chainMeasured)
		endLong := s.beginLong(t)
		t.Run("throughput", func(t *testing.T) { s.chain(t, r) })
		t.Run("goodput", func(t *testing.T) { s.goodput(t, r) })
		t.Run("outage", func(t *testing.T) { s.outages(t, r) })
		t.Run("memory", func(t *testing.T) { s.memory(t, r) })
		t.Run("long", func(t *testing.T) { endLong(t, r) })
	})
}
