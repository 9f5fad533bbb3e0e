// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// BenchmarkMessage is what the metrics of a message with one request cost.
func BenchmarkMessage(b *testing.B) {
	m := New(structure)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Waited("sms", time.Microsecond)
			m.Requested("sms", "push", "", time.Millisecond)
			m.Delivered(outcome.Succeed(), time.Millisecond)
			m.Finished(outcome.Done, "")
		}
	})
}
