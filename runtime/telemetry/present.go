// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
)

// present collects what has a value at each moment, from those who know it.
type present struct {
	snapshot func() consumer.Snapshot
	reports  func() []worker.AdapterReport
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	queuesDesc   = describe("owned_queues", "Queues this worker owns.")
	inFlightDesc = describe("in_flight_messages", "Messages being handled.")
	waitingDesc  = describe("waiting_messages", "Messages fetched and not yet handed out.")
	bytesDesc    = describe("message_bytes", "Memory of messages fetched and not finished.")
	parkedDesc   = describe("parked_state", "1 while nothing but probes is handed out.")
	skewDesc     = describe("clock_skew_seconds", "How far this machine's clock is ahead of a broker's, or behind if negative, as last seen; 0 for no more than 30 s. Otherwise nothing expires.")
	requestsDesc = describe("in_flight_requests", "Requests to the third party that have not been answered.", "adapter")
	allowedDesc  = describe("allowed_requests", "How many requests to the third party may be in flight, as its limit, a recovery and adaptive concurrency have it; 0 for any number.", "adapter")
	circuitDesc  = describe("circuit_state", "1 for the state the circuit is in.", "adapter", "state")
)

// Describe implements prometheus.Collector.
func (*present) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queuesDesc, inFlightDesc, waitingDesc, bytesDesc, parkedDesc, skewDesc, requestsDesc, allowedDesc, circuitDesc} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (p *present) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	s := p.snapshot()
	waiting := 0
	for _, q := range s.Queues {
		waiting += q.Waiting
	}
	gauge(queuesDesc, float64(len(s.Queues)))
	gauge(inFlightDesc, float64(s.InFlight))
	gauge(waitingDesc, float64(waiting))
	gauge(bytesDesc, float64(s.Bytes))
	gauge(parkedDesc, indicator(s.Parked))
	gauge(skewDesc, s.ClockSkew.Seconds())
	for _, a := range p.reports() {
		gauge(requestsDesc, float64(a.InFlight), a.Name)
		gauge(allowedDesc, float64(a.Allowed), a.Name)
		for _, state := range []worker.Circuit{worker.CircuitClosed, worker.CircuitHalfOpen, worker.CircuitOpen} {
			gauge(circuitDesc, indicator(a.Circuit == state), a.Name, string(state))
		}
	}
}

func indicator(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
