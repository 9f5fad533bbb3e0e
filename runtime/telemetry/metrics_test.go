// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var structure = worker.Structure{Namespace: "shop", Name: "push", Group: "g"}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

// observeAll makes everything happen that metrics are made of.
func observeAll(m *Metrics) {
	m.Finished(outcome.Dead, "MappingFailed")
	m.Finished(outcome.Expired, "TooLate")
	m.Finished(outcome.Park, "CircuitOpen")
	m.Delivered(outcome.Succeed(), 200*time.Millisecond)
	m.Delivered(outcome.ParkUntil(nil, "CircuitOpen", ""), time.Second)
	m.Finished(outcome.Done, "")
	m.Requested("sms", "push", "Timeout", 3*time.Second)
	m.Requested("sms", "push", "", 0)
	m.Waited("sms", 1500*time.Millisecond)
	m.Repeated("sms", true)
	m.Repeated("sms", false)
	m.CircuitChanged("sms", worker.CircuitOpen)
	m.Pulled(rocketmq.Found, 32)
	for _, failed := range []func(error){m.PullFailed, m.CommitFailed, m.SendBackFailed, m.DeadLetterFailed} {
		failed(errors.New("refused"))
	}
	m.Committed(7)
	m.QueueGained(rocketmq.Queue{})
	m.QueueReleased(rocketmq.Queue{}, time.Second)
	m.QueueLost(rocketmq.Queue{})
	m.Parked("CircuitOpen")
	m.Probing()
	m.Resumed(2 * time.Second)
	m.Dropped("Busy")
	m.Jumped(consumer.Jump{Cause: worker.JumpDeleted, From: 2, To: 5})
	m.Jumped(consumer.Jump{Cause: worker.JumpReset, From: 9, To: 5})
	m.OffsetMissing(rocketmq.Queue{})
	m.OrderViolated(3)
	m.LiveChanged("applied")
	m.Watch(structure,
		func() consumer.Snapshot {
			return consumer.Snapshot{InFlight: 2, Parked: true, ClockSkew: -time.Minute, Queues: []consumer.QueueSnapshot{{Waiting: 3}, {Waiting: 4}}}
		},
		func() []worker.AdapterReport {
			return []worker.AdapterReport{{Name: "sms", Circuit: worker.CircuitHalfOpen, InFlight: 5}}
		})
}

func TestWhatIsObservedIsCounted(t *testing.T) {
	m := New(structure)
	observeAll(m)
	text := scrape(t, m)
	for _, want := range []string{
		`messages_total{group="g",namespace="shop",outcome="dead",reason="MappingFailed"} 1`,
		`messages_total{group="g",namespace="shop",outcome="done",reason="none"} 1`,
		`messages_total{group="g",namespace="shop",outcome="expired",reason="TooLate"} 1`,
		`requests_total{adapter="sms",group="g",namespace="shop",reason="none",step="push"} 1`,
		`message_busy_seconds_count{group="g",namespace="shop"} 1`,
		`requests_total{adapter="sms",group="g",namespace="shop",reason="Timeout",step="push"} 1`,
		`request_seconds_sum{adapter="sms",group="g",namespace="shop",step="push"} 3`,
		`limit_wait_seconds_total{adapter="sms",group="g",namespace="shop"} 1.5`,
		`request_repeats_total{adapter="sms",group="g",namespace="shop",result="refused"} 1`,
		`circuit_changes_total{adapter="sms",group="g",namespace="shop",state="Open"} 1`,
		`pulls_total{group="g",namespace="shop",status="FOUND"} 1`,
		`pulled_messages_total{group="g",namespace="shop"} 32`,
		`broker_errors_total{call="dead_letter",group="g",namespace="shop"} 1`,
		`committed_messages_total{group="g",namespace="shop"} 7`,
		`queue_changes_total{change="lost",group="g",namespace="shop"} 1`,
		`queue_release_seconds_count{group="g",namespace="shop"} 1`,
		`parks_total{group="g",namespace="shop",reason="CircuitOpen"} 1`,
		`parked_seconds_total{group="g",namespace="shop"} 2`,
		`probes_total{group="g",namespace="shop"} 1`,
		`messages_lost_total{group="g",namespace="shop"} 3`,
		`offset_jumps_total{cause="MessagesDeleted",group="g",namespace="shop"} 1`,
		`dropped_messages_total{group="g",namespace="shop",reason="Busy"} 1`,
		`offset_jumps_total{cause="Reset",group="g",namespace="shop"} 1`,
		`offset_missing_total{group="g",namespace="shop"} 1`,
		`live_reloads_total{group="g",namespace="shop",result="applied"} 1`,
		`owned_queues{group="g",namespace="shop"} 2`,
		`in_flight_messages{group="g",namespace="shop"} 2`,
		`waiting_messages{group="g",namespace="shop"} 7`,
		`parked_state{group="g",namespace="shop"} 1`,
		`clock_skew_seconds{group="g",namespace="shop"} -60`,
		`in_flight_requests{adapter="sms",group="g",namespace="shop"} 5`,
		`circuit_state{adapter="sms",group="g",namespace="shop",state="HalfOpen"} 1`,
		`circuit_state{adapter="sms",group="g",namespace="shop",state="Open"} 0`,
	} {
		if !strings.Contains(text, "\norderflow_"+want+"\n") {
			t.Errorf("missing: orderflow_%s", want)
		}
	}
	if strings.Contains(text, `outcome="park"`) {
		t.Error("a parked message is counted as handled")
	}
}

func TestTimeParkedCountsWhileItPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(structure)
		passed := func(want string) {
			t.Helper()
			if text := scrape(t, m); !strings.Contains(text, `orderflow_parked_seconds_total{group="g",namespace="shop"} `+want+"\n") {
				t.Errorf("parked for %ss is not in:\n%s", want, regexp.MustCompile(`orderflow_parked_sec.*`).FindString(text))
			}
		}
		passed("0")
		m.Parked("CircuitOpen")
		time.Sleep(90 * time.Second)
		passed("90")
		m.Resumed(91 * time.Second)
		time.Sleep(time.Minute)
		passed("91")
		m.Parked("CircuitOpen")
		time.Sleep(time.Second)
		passed("92")
	})
}

func TestLogLinesNameTheGroup(t *testing.T) {
	var out bytes.Buffer
	OfGroup(NewLogger(&out, slog.LevelInfo), structure).Info("hello")
	for _, want := range []string{`"msg":"hello"`, `"namespace":"shop"`, `"name":"push"`, `"group":"g"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in %s", want, out.String())
		}
	}
}
