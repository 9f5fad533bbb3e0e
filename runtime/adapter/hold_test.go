// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// calls makes a call, and wants what comes of it.
func calls(t *testing.T, a *Adapter, want outcome.Kind) outcome.Outcome {
	t.Helper()
	o := a.Call(t.Context(), request())
	if o.Kind != want {
		t.Fatalf("got %v %s, want %v", o.Kind, o.Reason, want)
	}
	return o
}

func TestAHeldPodAsksNobodyUntilItsLeaseEnds(t *testing.T) {
	bubble(t, fragile, answers{status(200)}, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
		a.Hold(worker.MaxLease)
		parked := calls(t, a, outcome.Park)
		if r := a.Report(); !r.Held || r.Circuit != worker.CircuitOpen || r.Outage != nil {
			t.Errorf("it says %+v, want a circuit that others opened", r)
		}
		time.Sleep(6 * time.Second)
		a.Hold(time.Hour) // states it anew, for as long as may be
		time.Sleep(worker.MaxLease - 1)
		if ended(parked.Resume) || s.count() != 0 {
			t.Fatalf("resumed %t, %d requests, while it was held", ended(parked.Resume), s.count())
		}
		time.Sleep(2 * time.Nanosecond)
		if !ended(parked.Resume) {
			t.Fatal("the lease has ended, and who waits is not told")
		}
		if r := a.Report(); r.Held || r.Circuit != worker.CircuitClosed {
			t.Errorf("nobody says that the third party is down, and it says %+v", r)
		}
		calls(t, a, outcome.Done)
		if r := a.Report(); r.Circuit != worker.CircuitClosed || r.Served == nil {
			t.Errorf("served, it says %+v", r)
		}
	})
}

func TestAHoldThatEndsLetsOneProbeOut(t *testing.T) {
	bubble(t, fragile, answers{status(500), status(500), status(500), status(200)}, func(t *testing.T, a *Adapter, s *scripted, o *observed) {
		open(t, a)
		opened := time.Now()
		time.Sleep(time.Second)
		a.Hold(worker.MaxLease)
		parked := calls(t, a, outcome.Park)
		a.Hold(0)
		synctest.Wait()
		if ended(parked.Resume) {
			t.Error("its own pause has not ended")
		}
		time.Sleep(4*time.Second + 1)
		if !ended(parked.Resume) {
			t.Fatal("who waits is not told")
		}
		a.Hold(worker.MaxLease) // although told already
		parked = calls(t, a, outcome.Park)
		a.Hold(0)
		synctest.Wait()
		if !ended(parked.Resume) {
			t.Fatal("who waits is not told")
		}
		calls(t, a, outcome.Park) // the probe fails
		if r := a.Report(); r.Outage == nil || r.Outage.Lasts.D() != time.Since(opened) || r.Outage.Due != 0 {
			t.Errorf("it says %+v, want what it found itself, before others did", r.Outage)
		}
		time.Sleep(20 * time.Second)
		if r := a.Report(); r.Outage == nil || r.Outage.Due.D() < 10*time.Second || r.Outage.Due.D() > 16*time.Second {
			t.Errorf("a probe could have gone out for more than ten seconds, it says %+v", r.Outage)
		}
		calls(t, a, outcome.Done)
		if diff := cmp.Diff([]worker.Circuit{"Open", "HalfOpen", "Open", "HalfOpen", "Closed"}, o.circuits); diff != "" || s.count() != 4 {
			t.Errorf("%d requests; %s", s.count(), diff)
		}
		if part := a.gate.ramp.part(); part != firstPart {
			t.Errorf("it goes on with %v of its limits, want a ramp", part)
		}
	})
}

func TestWhatOthersFoundIsNotAPodsOwnFindingBeforeItHasProbed(t *testing.T) {
	bubble(t, fragile, answers{status(500)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		a.Hold(worker.MaxLease)
		time.Sleep(time.Second)
		a.Hold(0)
		if r := a.Report(); r.Outage != nil {
			t.Errorf("before its probe it says %+v", r.Outage)
		}
		calls(t, a, outcome.Park)
		if r := a.Report(); r.Circuit != worker.CircuitOpen || r.Outage == nil || r.Outage.Lasts != 0 {
			t.Errorf("after its probe it says %+v", r)
		}
	})
}

func TestWhoWasServedLatelyIsNotHeld(t *testing.T) {
	bubble(t, fragile, answers{status(200)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		calls(t, a, outcome.Done)
		time.Sleep(lately - 1)
		a.Hold(worker.MaxLease)
		calls(t, a, outcome.Done)
		time.Sleep(lately)
		a.Hold(worker.MaxLease)
		calls(t, a, outcome.Park)
	})
}

func TestARequestUnderWayWhenOthersOpenTheCircuitIsNoAttempt(t *testing.T) {
	bubble(t, fragile, answers{slow(500, time.Second)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		time.AfterFunc(500*time.Millisecond, func() { a.Hold(worker.MaxLease) })
		calls(t, a, outcome.Park)
	})
}

func TestAProbeThatIsOutWhenOthersHoldEndsTheHold(t *testing.T) {
	bubble(t, fragile, answers{status(500), status(500), slow(200, time.Second)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		open(t, a)
		time.Sleep(6 * time.Second)
		time.AfterFunc(500*time.Millisecond, func() { a.Hold(worker.MaxLease) })
		calls(t, a, outcome.Done)
		if r := a.Report(); r.Held || r.Circuit != worker.CircuitClosed {
			t.Errorf("it says %+v", r)
		}
		calls(t, a, outcome.Done)
	})
}

func TestWhatBecameOfAnEarlierRequestOfACallIsNotForgotten(t *testing.T) {
	var held *Adapter
	refuses := func(r *http.Request) (*http.Response, error) {
		held.Hold(worker.MaxLease)
		return status(503)(r)
	}
	twice := func(c *Config) { c.Limits.RequestAttempts = 2 }
	bubble(t, twice, answers{status(504), refuses}, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
		held = a
		if o := calls(t, a, outcome.Park); !o.MaybeMade || s.count() != 2 {
			t.Errorf("a gateway gave up, and the repetition was refused while the circuit opened; after %d requests that is %+v", s.count(), o)
		}
	})
}
