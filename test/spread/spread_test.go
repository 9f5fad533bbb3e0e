// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package spread

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

const (
	pods = 5
	// pass is the time between two sync calls, and some.
	pass = 2*time.Second + 100*time.Millisecond
	// outage is how long a third party is down, and settled how long the pods have to find that out.
	outage, settled = 90 * time.Second, 20 * time.Second
	// perSecond is what one pod that goes by itself asks of a third party that is down: pauses grow to 1.5 s, less a quarter at most.
	perSecond = 1 / 1.125
)

func failures(s *shop, since time.Time) (n int) {
	for _, calls := range s.since(since, false) {
		n += len(calls)
	}
	return n
}

// TestOnePodProbesForAll lets a third party be down for five pods: what it sees of them meanwhile is what it would see of one, it is found again as fast, and all
// go on within a pass of the sync call and their own probe.
func TestOnePodProbesForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, pods)
		_, stop := s.operate()
		defer stop()
		s.Pay(100)
		time.Sleep(10 * time.Second)
		s.fail(s.pods...)
		s.Pay(200)
		time.Sleep(settled)
		if asked := len(s.since(time.Now().Add(-settled), false)); asked != pods {
			t.Errorf("%d pods were asked, want each of %d: it may be a pod that fails", asked, pods)
		}
		began := time.Now()
		time.Sleep(outage)
		// Each has its turn of half a minute, and begins it with a shorter pause.
		if most := int(1.3 * perSecond * outage.Seconds()); failures(s, began) > most {
			t.Errorf("the third party saw %d requests of %d pods in %v, want %d at most: those of one", failures(s, began), pods, outage, most)
		}
		if asked := len(s.since(began, false)); asked < 3 {
			t.Errorf("%d pods had their turn in %v, want another each half a minute", asked, outage)
		}
		held := 0
		for _, p := range s.pods {
			if r := p.Adapter.Report(); r.Held && r.Circuit == worker.CircuitOpen {
				held++
			}
		}
		if held != pods-1 {
			t.Errorf("%d pods are held, want all but the prober", held)
		}

		s.fail()
		healed := time.Now()
		time.Sleep(10 * time.Second)
		served := s.since(healed, true)
		var first time.Time
		for _, calls := range served {
			if first.IsZero() || calls[0].Before(first) {
				first = calls[0]
			}
		}
		if late := first.Sub(healed); late > 2*time.Second {
			t.Errorf("the first success came %v after it healed, want 2s at most", late)
		}
		if len(served) != pods {
			t.Errorf("%d pods are served again, want all", len(served))
		}
		for name, calls := range served {
			if late := calls[0].Sub(first); late > pass {
				t.Errorf("%s was served %v after the first, want a pass of the sync call at most", name, late)
			}
		}
		for _, p := range s.pods {
			if r := p.Adapter.Report(); r.Circuit != worker.CircuitClosed {
				t.Errorf("the circuit of %s is %s", p.name, r.Circuit)
			}
		}
	})
}

// TestWithoutTheOperatorEachPodGoesByItself lets the operator end in the middle of an outage.
func TestWithoutTheOperatorEachPodGoesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, pods)
		_, stop := s.operate()
		s.fail(s.pods...)
		s.Pay(200)
		time.Sleep(time.Minute)
		stop()
		time.Sleep(worker.MaxLease)
		free := time.Now()
		time.Sleep(10 * time.Second)
		if asked := len(s.since(free, false)); asked != pods {
			t.Errorf("%d pods probe after the leases ended, want each by itself", asked)
		}
		s.fail()
		healed := time.Now()
		time.Sleep(2 * time.Second)
		if served := len(s.since(healed, true)); served != pods {
			t.Errorf("%d pods are served within 2 s, want all", served)
		}
	})
}

// TestAPodThatIsAloneInItsTroubleHoldsNobodyUp lets the third party fail for the requests of one pod only, while the others have nothing to do: the first
// that has a message again is asked for a second opinion, and then each goes by itself.
func TestAPodThatIsAloneInItsTroubleHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, pods)
		reports, stop := s.operate()
		defer stop()
		broken := s.pods[0]
		s.fail(broken)
		s.Pay(200)
		time.Sleep(settled)
		served := func(within time.Duration) {
			t.Helper()
			since := time.Now()
			s.Pay(queues)
			time.Sleep(within)
			if served := len(s.since(since, true)); served != pods-1 {
				t.Errorf("%d pods are served within %v, want all but the broken one", served, within)
			}
		}
		served(2 * pass) // one pass to ask for the opinion, one to tell it
		for range 3 {
			time.Sleep(time.Minute)
			served(time.Second)
		}
		for _, r := range reports() {
			if r.Probers != nil {
				t.Errorf("%v probes for all, although others are served", r.Probers)
			}
		}
		if state := broken.Adapter.Report().Circuit; state == worker.CircuitClosed {
			t.Error("the circuit of the broken pod is closed")
		}
	})
}
