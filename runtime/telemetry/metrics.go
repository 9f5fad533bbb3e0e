// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"cmp"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Metrics are a worker's. It observes consumer, delivery and adapters.
type Metrics struct {
	registry *prometheus.Registry

	messages      *children[finished, prometheus.Counter]
	messageBusy   prometheus.Histogram
	requests      *children[requested, prometheus.Counter]
	requestTime   *children[step, prometheus.Observer]
	waiting       *children[string, prometheus.Counter]
	repeats       *prometheus.CounterVec
	circuits      *prometheus.CounterVec
	pulls         *children[rocketmq.PullStatus, prometheus.Counter]
	pulled        prometheus.Counter
	brokerErrors  *prometheus.CounterVec
	committed     prometheus.Counter
	queueMoves    *prometheus.CounterVec
	handOver      prometheus.Histogram
	parked        *prometheus.CounterVec
	parkedTime    parkedClock
	probes        prometheus.Counter
	lost          prometheus.Counter
	jumps         *prometheus.CounterVec
	dropped       *prometheus.CounterVec
	offsetMissing prometheus.Counter
	violations    prometheus.Counter
	liveReloads   *prometheus.CounterVec
}

// What tells series apart that are counted for every message.
type (
	finished struct {
		kind   outcome.Kind
		reason outcome.Reason
	}
	step      struct{ adapter, step string }
	requested struct {
		step
		reason outcome.Reason
	}
)

var (
	_ consumer.Observer = (*Metrics)(nil)
	_ adapter.Observer  = (*Metrics)(nil)
	_ delivery.Observer = (*Metrics)(nil)
)

// New returns the metrics of a group's worker.
func New(s worker.Structure) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	b := builder{prometheus.WrapRegistererWith(prometheus.Labels{"namespace": s.Namespace, "group": s.Group}, m.registry)}
	b.register(collectors.NewGoCollector())
	b.register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	messages := b.counters("messages_total", "Messages handled, by what became of them; the reason is none where there is nothing to say. Parked ones were not tried.", "outcome", "reason")
	m.messages = newChildren(func(f finished) prometheus.Counter {
		return messages.WithLabelValues(f.kind.String(), label(f.reason))
	})
	m.messageBusy = b.histogram("message_busy_seconds", "Time spent on a message, without waiting for limits.")
	requests := b.counters("requests_total", "Requests to third parties; the reason is none for a success.", "adapter", "step", "reason")
	m.requests = newChildren(func(r requested) prometheus.Counter {
		return requests.WithLabelValues(r.adapter, r.step.step, label(r.reason))
	})
	requestTime := b.histograms("request_seconds", "Time from a request to its whole answer.", "adapter", "step")
	m.requestTime = newChildren(func(s step) prometheus.Observer { return requestTime.WithLabelValues(s.adapter, s.step) })
	waiting := b.counters("limit_wait_seconds_total", "Time requests waited for concurrency and rate.", "adapter")
	m.waiting = newChildren(func(adapter string) prometheus.Counter { return waiting.WithLabelValues(adapter) })
	m.repeats = b.counters("request_repeats_total", "Requests that failed and are repeated at once (made), or are not because too many are (refused).", "adapter", "result")
	m.circuits = b.counters("circuit_changes_total", "Changes of a circuit, by its new state.", "adapter", "state")
	pulls := b.counters("pulls_total", "Pulls the broker answered, by status.", "status")
	m.pulls = newChildren(func(s rocketmq.PullStatus) prometheus.Counter { return pulls.WithLabelValues(s.String()) })
	m.pulled = b.counter("pulled_messages_total", "Messages pulled.")
	m.brokerErrors = b.counters("broker_errors_total", "Calls of the broker that failed and are tried again.", "call")
	m.committed = b.counter("committed_messages_total", "Messages whose offset was committed.")
	m.queueMoves = b.counters("queue_changes_total", "Queues gained, released and lost.", "change")
	m.handOver = b.histogram("queue_release_seconds", "Time from the wish to give a queue up until it was free.")
	m.parked = b.counters("parks_total", "Times handing out stopped.", "reason")
	b.counterFunc("parked_seconds_total", "Time during which handing out was stopped.", m.parkedTime.seconds)
	m.probes = b.counter("probes_total", "Messages handed out to find out whether handing out may go on.")
	m.lost = b.counter("messages_lost_total", "Messages the broker deleted before they were read: its retention is too short.")
	m.dropped = b.counters("dropped_messages_total", "Messages given up where every pod gets every message: nothing is tried again.", "reason")
	m.jumps = b.counters("offset_jumps_total", "Moves of a position in a queue other than by reading: messages were deleted unread, an administrator moved it, or it lay beyond the queue's end.", "cause")
	m.offsetMissing = b.counter("offset_missing_total", "Looks at a queue that has no committed offset and is held.")
	m.violations = b.counter("order_violations_total", "Messages whose order key was seen last in another queue: their sender does not keep their order.")
	m.liveReloads = b.counters("live_reloads_total", "Changes of the limits, by what became of them.", "result")
	return m
}

// Watch adds what is read when metrics are asked for.
func (m *Metrics) Watch(s worker.Structure, snapshot func() consumer.Snapshot, reports func() []worker.AdapterReport) {
	labels := prometheus.Labels{"namespace": s.Namespace, "group": s.Group}
	prometheus.WrapRegistererWith(labels, m.registry).MustRegister(&present{snapshot, reports})
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Delivered implements delivery.Observer.
func (m *Metrics) Delivered(o outcome.Outcome, busy time.Duration) {
	if o.Kind != outcome.Park {
		m.messageBusy.Observe(busy.Seconds())
	}
}

// Requested, Waited, Repeated and CircuitChanged implement adapter.Observer.
func (m *Metrics) Requested(adapter, name string, reason outcome.Reason, took time.Duration) {
	s := step{adapter, name}
	m.requests.of(requested{s, reason}).Inc()
	m.requestTime.of(s).Observe(took.Seconds())
}

func (m *Metrics) Waited(adapter string, took time.Duration) {
	m.waiting.of(adapter).Add(took.Seconds())
}

func (m *Metrics) Repeated(adapter string, allowed bool) {
	result := "made"
	if !allowed {
		result = "refused"
	}
	m.repeats.WithLabelValues(adapter, result).Inc()
}

func (m *Metrics) CircuitChanged(adapter string, state worker.Circuit) {
	m.circuits.WithLabelValues(adapter, string(state)).Inc()
}

// LiveChanged counts a change of the limits: "applied", or "refused" for one that is not valid.
func (m *Metrics) LiveChanged(result string) { m.liveReloads.WithLabelValues(result).Inc() }

// The rest implements consumer.Observer.

func (m *Metrics) Pulled(status rocketmq.PullStatus, messages int) {
	m.pulls.of(status).Inc()
	m.pulled.Add(float64(messages))
}

func (m *Metrics) PullFailed(error)       { m.brokerErrors.WithLabelValues("pull").Inc() }
func (m *Metrics) CommitFailed(error)     { m.brokerErrors.WithLabelValues("commit").Inc() }
func (m *Metrics) SendBackFailed(error)   { m.brokerErrors.WithLabelValues("send_back").Inc() }
func (m *Metrics) DeadLetterFailed(error) { m.brokerErrors.WithLabelValues("dead_letter").Inc() }

func (m *Metrics) Finished(kind outcome.Kind, reason outcome.Reason) {
	if kind != outcome.Park {
		m.messages.of(finished{kind, reason}).Inc()
	}
}

func (m *Metrics) Committed(messages int)     { m.committed.Add(float64(messages)) }
func (m *Metrics) QueueGained(rocketmq.Queue) { m.queueMoves.WithLabelValues("gained").Inc() }
func (m *Metrics) QueueLost(rocketmq.Queue)   { m.queueMoves.WithLabelValues("lost").Inc() }

func (m *Metrics) QueueReleased(_ rocketmq.Queue, took time.Duration) {
	m.queueMoves.WithLabelValues("released").Inc()
	m.handOver.Observe(took.Seconds())
}

func (m *Metrics) Parked(reason outcome.Reason) {
	m.parked.WithLabelValues(string(reason)).Inc()
	m.parkedTime.start()
}

func (m *Metrics) Resumed(after time.Duration) { m.parkedTime.stop(after) }
func (m *Metrics) Probing()                    { m.probes.Inc() }

func (m *Metrics) Dropped(reason outcome.Reason) { m.dropped.WithLabelValues(label(reason)).Inc() }

func (m *Metrics) Jumped(j consumer.Jump) {
	m.jumps.WithLabelValues(string(j.Cause)).Inc()
	if j.Cause == worker.JumpDeleted {
		m.lost.Add(float64(j.To - j.From))
	}
}

func (m *Metrics) OffsetMissing(rocketmq.Queue) { m.offsetMissing.Inc() }
func (m *Metrics) OrderViolated(messages int)   { m.violations.Add(float64(messages)) }

// label is the reason as a label: an empty one would be no label at all.
func label(reason outcome.Reason) string { return cmp.Or(string(reason), "none") }
