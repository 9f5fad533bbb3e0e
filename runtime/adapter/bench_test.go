// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"net/http"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// unobserved is an Observer that costs nothing.
type unobserved struct{}

func (unobserved) Requested(string, string, outcome.Reason, time.Duration) {}
func (unobserved) Waited(string, time.Duration)                            {}
func (unobserved) Repeated(string, bool)                                   {}
func (unobserved) CircuitChanged(string, worker.Circuit)                   {}

// instant is a third party that answers at once.
type instant struct{}

func (instant) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

// BenchmarkCall is what the adapter itself costs, twenty callers a core: what protects both sides, and the making of the request.
func BenchmarkCall(b *testing.B) {
	for name, concurrency := range map[string]int{"unlimited": 0, "roomy": 1000} {
		b.Run(name, func(b *testing.B) {
			c := config("http://third.party", nil)
			c.Limits.Concurrency, c.Transport, c.Observer = concurrency, instant{}, unobserved{}
			a, err := New(c)
			if err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(20)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := request()
				for pb.Next() {
					a.Call(b.Context(), r)
				}
			})
		})
	}
}

// BenchmarkAdmission is the part of it that decides whether a request may be made.
func BenchmarkAdmission(b *testing.B) {
	c := config("http://third.party", nil)
	c.Transport, c.Observer = instant{}, unobserved{}
	a, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(20)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, _ := a.admit(b.Context())
			a.circuit.end(p.ticket, healthy, 0)
			a.gate.leave()
		}
	})
}
