// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// sees is the answer of a pod to which the third party looks so.
func sees(a worker.AdapterReport) worker.SyncResponse {
	a.Name = "sms"
	return worker.SyncResponse{LiveRevision: "r1", Waiting: 1, Adapters: []worker.AdapterReport{a}}
}

func TestPodsAreToldWhatOnesCircuitFound(t *testing.T) {
	c := valid(t)
	down := startPod(t, "127.0.0.1", 0, c)
	other, refusing := startPod(t, "127.0.0.2", down.port(), c), startPod(t, "127.0.0.3", down.port(), c)
	down.answer = sees(worker.AdapterReport{Circuit: worker.CircuitOpen, Outage: &worker.Outage{Lasts: worker.Duration(time.Second)}})
	other.answer, refusing.answer = sees(worker.AdapterReport{Circuit: worker.CircuitClosed}), sees(worker.AdapterReport{Circuit: worker.CircuitClosed})
	refusing.deaf = true // of a version that knows of no holds
	s, expect := newSyncer(t, down.port(), running("push-1", "127.0.0.1"), running("push-2", "127.0.0.2"), running("push-3", "127.0.0.3"))
	expect(c, "r1")
	began := time.Now()
	s.Pass(t.Context())

	if len(down.requests) != 1 {
		t.Errorf("who probes was told %+v", down.requests)
	}
	want := []worker.Hold{{Adapter: "sms", Lease: worker.Duration(worker.MaxLease)}}
	if diff := cmp.Diff(want, other.requests[len(other.requests)-1].Holds); diff != "" {
		t.Errorf("another was told: %s", diff)
	}
	for _, r := range s.Reports(push) {
		prober := r.Probers["sms"]
		if r.Err != nil || r.Answer.LiveProblem != "" || prober.Pod != (workersync.Pod{Group: push, Name: "push-1"}) || prober.Since.Before(began) {
			t.Errorf("%s: error %v, problem %q, %+v probes; want push-1 to probe for all", r.Pod, r.Err, r.Answer.LiveProblem, prober)
		}
	}

	down.answer = sees(worker.AdapterReport{Circuit: worker.CircuitClosed, Served: new(worker.Duration)})
	other.answer = sees(worker.AdapterReport{Circuit: worker.CircuitOpen, Held: true})
	s.Pass(t.Context())
	if diff := cmp.Diff([]worker.Hold{{Adapter: "sms"}}, other.requests[len(other.requests)-1].Holds); diff != "" {
		t.Errorf("it is back, and who waits was told: %s", diff)
	}
	for _, r := range s.Reports(push) {
		if r.Probers != nil {
			t.Errorf("it is back, and %v probes", r.Probers)
		}
	}
}

func TestASuspendedPodProbesForNobody(t *testing.T) {
	c := valid(t)
	suspended := startPod(t, "127.0.0.1", 0, c)
	one, two := startPod(t, "127.0.0.2", suspended.port(), c), startPod(t, "127.0.0.3", suspended.port(), c)
	open := sees(worker.AdapterReport{Circuit: worker.CircuitOpen, Outage: &worker.Outage{Lasts: worker.Duration(time.Second)}})
	suspended.answer, one.answer, two.answer = open, open, open
	suspended.answer.Suspension = &worker.Suspension{Reason: worker.ReasonSuspended}
	s, expect := newSyncer(t, suspended.port(), running("push-1", "127.0.0.1"), running("push-2", "127.0.0.2"), running("push-3", "127.0.0.3"))
	expect(c, "r1")
	s.Pass(t.Context())
	for _, r := range s.Reports(push) {
		if prober := r.Probers["sms"]; prober.Name != "push-2" {
			t.Errorf("%s is told that %+v probes, want push-2, which is not suspended", r.Pod, prober)
		}
	}
}
