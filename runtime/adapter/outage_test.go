// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

func TestACircuitStaysOpenLongerWithEveryFailedProbe(t *testing.T) {
	const ms = time.Millisecond
	begin := time.Unix(0, 0)
	for name, c := range map[string]struct {
		first  time.Duration
		probes int
		lasted time.Duration
		random float64
		want   time.Duration
	}{
		"at first as declared":                               {200 * ms, 0, 0, 0.9, 200 * ms},
		"then twice that":                                    {200 * ms, 1, 0, 0, 400 * ms},
		"and twice that again":                               {200 * ms, 2, 0, 0, 800 * ms},
		"a grown pause may be a quarter shorter":             {200 * ms, 2, 0, 1, 600 * ms},
		"but not below what is declared":                     {time.Second, 1, 0, 1, 1125 * ms},
		"in the first ten minutes up to 1.5 s":               {time.Second, 1000, longOutage - 1, 0, 1500 * ms},
		"later up to 15 s":                                   {time.Second, 1000, longOutage, 0, 15 * time.Second},
		"what is declared longer stays as declared":          {30 * time.Second, 1000, 0, 1, 30 * time.Second},
		"and does in a long outage":                          {30 * time.Second, 1000, 24 * time.Hour, 1, 30 * time.Second},
		"a long outage without probes was nobody's business": {time.Second, 0, 24 * time.Hour, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			o := outage{since: begin, probes: c.probes}
			if got := o.pause(c.first, begin.Add(c.lasted), c.random); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAPauseKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.Int64Range(int64(100*time.Millisecond), int64(time.Minute)).Draw(t, "first"))
		lasted := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "lasted"))
		o := outage{since: time.Unix(0, 0), probes: rapid.IntRange(0, 1_000_000).Draw(t, "probes")}
		got := o.pause(first, o.since.Add(lasted), rapid.Float64Range(0, 1).Draw(t, "random"))
		longest := max(first, longestPause)
		if lasted >= longOutage {
			longest = max(first, longestPauseLong)
		}
		if got < first || got > longest {
			t.Errorf("got %v, not between %v and %v", got, first, longest)
		}
	})
}

// healing is a third party that answers 500 until a time.
func healing(at time.Time, requests *int) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		*requests++
		if time.Now().Before(at) {
			return status(500)(r)
		}
		return status(200)(r)
	}
}

// TestADeadThirdPartyIsSparedAndFoundAgain has the bounds of the issue: at most one request a second while it is dead, which is 0.2 % of 500 a second
// offered, and a success within 2 s after it healed, or 20 s after an outage of more than ten minutes.
func TestADeadThirdPartyIsSparedAndFoundAgain(t *testing.T) {
	for name, c := range map[string]struct{ outage, within time.Duration }{
		"a blink":          {3 * time.Second, 2 * time.Second},
		"a minute":         {time.Minute, 2 * time.Second},
		"ten minutes":      {10 * time.Minute, 2 * time.Second},
		"an hour":          {time.Hour, 20 * time.Second},
		"a day and a half": {36 * time.Hour, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				heals := time.Now().Add(c.outage)
				cfg := config("http://third.party", func(c *Config) {
					c.Limits.Breaker = worker.Breaker{FailurePercentage: 50, MinimumRequests: 10, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(time.Second)}
				})
				cfg.Transport = &scripted{answers: answers{healing(heals, &requests)}}
				a := build(t, cfg)
				attempts := 0
				for o := a.Call(t.Context(), request()); o.Kind != outcome.Done; o = a.Call(t.Context(), request()) {
					if o.Kind == outcome.Retry {
						attempts++
						continue
					}
					<-o.Resume
				}
				if attempts != 10 {
					t.Errorf("%d attempts were counted, want those that opened the circuit", attempts)
				}
				if late := time.Since(heals); late > c.within {
					t.Errorf("the first success came %v after it healed, want %v at most", late, c.within)
				}
				if most := 11 + int(c.outage/time.Second); requests > most {
					t.Errorf("%d requests in %v, want %d at most", requests, c.outage, most)
				}
			})
		})
	}
}

// TestASilentThirdPartyIsFoundAsSoon: one that takes requests and never answers is found healed within 2 s, whatever moment of its probes that is, where a probe may be
// made again while it hangs. Where it may not there never are two, and the one that hangs has to end.
func TestASilentThirdPartyIsFoundAsSoon(t *testing.T) {
	const timeout = 5 * time.Second
	for name, c := range map[string]struct {
		honoured       bool
		within         time.Duration
		inFlightAtMost int
	}{
		"keys are honoured": {true, 2 * time.Second, 1 + int(timeout/longestPause)},
		"they are not":      {false, timeout + time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for outage := 30 * time.Second; outage < 37*time.Second; outage += 250 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					heals := time.Now().Add(outage)
					silent, honoured := &silent{until: heals}, c.honoured
					a := build(t, config("http://third.party", func(c *Config) {
						fragile(c)
						c.Limits.Breaker.OpenDuration = worker.Duration(time.Second)
						c.Limits.Timeout = worker.Duration(timeout)
						c.Transport = silent
						c.Spec.Idempotency.KeysHonoured, c.Spec.Idempotency.AcceptDuplicates = honoured, true
					}))
					for o := a.Call(t.Context(), request()); o.Kind != outcome.Done; o = a.Call(t.Context(), request()) {
						if o.Kind == outcome.Park {
							<-o.Resume
						}
					}
					if late := time.Since(heals); late > c.within {
						t.Errorf("the first success came %v after it healed, want %v at most", late, c.within)
					}
					synctest.Wait()
					if silent.most > c.inFlightAtMost || silent.now != 0 {
						t.Errorf("%d requests were in flight at once, want %d at most; %d still are", silent.most, c.inFlightAtMost, silent.now)
					}
				})
			}
		})
	}
}

// TestAProbeThatIsTheSameRequestAgainShowsNothing: a gateway that refuses what it is at work on answers the repeated probe, and has served nobody by that.
func TestAProbeThatIsTheSameRequestAgainShowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heals := time.Now().Add(time.Minute)
		var atWork atomic.Int32
		gateway := func(r *http.Request) (*http.Response, error) {
			defer atWork.Add(-1)
			switch {
			case atWork.Add(1) > 1:
				return status(409)(r)
			case time.Now().Before(heals):
				return slow(200, time.Hour)(r)
			}
			return status(200)(r)
		}
		a := build(t, config("http://third.party", func(c *Config) {
			fragile(c)
			c.Limits.Breaker.Window, c.Limits.Timeout = worker.Duration(time.Minute), worker.Duration(10*time.Second)
			c.Transport = &scripted{answers: answers{gateway}}
		}))
		attempts := 0
		for o := a.Call(t.Context(), request()); o.Kind != outcome.Done; o = a.Call(t.Context(), request()) {
			if o.Kind == outcome.Retry {
				attempts++
				continue
			}
			if !o.MaybeMade && o.Detail != "adapter sms, step push: the circuit is open" {
				t.Errorf("what hung is said to have had no effect: %s", o.Detail)
			}
			<-o.Resume
		}
		if attempts != 2 {
			t.Errorf("%d attempts were counted, want the 2 that opened the circuit", attempts)
		}
		if late := time.Since(heals); late < 0 || late > 12*time.Second {
			t.Errorf("the first success came %v after it healed", late)
		}
	})
}

// silent is a third party that does not answer requests that come before a time.
type silent struct {
	until time.Time

	mu        sync.Mutex
	now, most int // in flight
}

func (s *silent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.count(1)
	defer s.count(-1)
	if time.Now().Before(s.until) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return status(200)(r)
}

func (s *silent) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.most = max(s.most, s.now)
}

func TestAnOutageGoesOnAfterALuckyProbe(t *testing.T) {
	lucky := answers{status(500), status(500), status(500), status(200), status(500)}
	quick := func(c *Config) { fragile(c); c.Limits.Breaker.OpenDuration = worker.Duration(100 * time.Millisecond) }
	bubble(t, quick, append(lucky, status(500)), func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		open(t, a)
		probe := func() {
			time.Sleep(2 * time.Second)
			a.Call(t.Context(), request())
		}
		probe() // fails
		probe() // succeeds
		pause := func() time.Duration {
			t.Helper()
			open(t, a)
			return time.Until(a.circuit.until)
		}
		if got := pause(); got < 150*time.Millisecond || got > 200*time.Millisecond {
			t.Errorf("opened again at once, it stays open for %v, want 150ms to 200ms as after one failed probe", got)
		}
		a.circuit.outage.ended = time.Now().Add(-11 * time.Second) // a window ago
		a.circuit.move(worker.CircuitClosed)
		a.circuit.tally = tally{}
		if got := pause(); got != 100*time.Millisecond {
			t.Errorf("opened again after it was well for a window, it stays open for %v, want 100ms", got)
		}
	})
}

func TestATallyForgetsAWindow(t *testing.T) {
	const window = 10 * time.Second
	config := worker.Breaker{FailurePercentage: 50, MinimumRequests: 4, Window: worker.Duration(window)}
	type step struct {
		failed, succeeded int
		at                time.Duration
	}
	for name, c := range map[string]struct {
		steps []step
		want  bool
	}{
		"too few to judge by":                     {[]step{{3, 0, 0}}, false},
		"all of enough":                           {[]step{{4, 0, 0}}, true},
		"the share is reached":                    {[]step{{0, 3, 0}, {3, 0, 1 * time.Second}}, true},
		"the share is not reached":                {[]step{{0, 4, 0}, {3, 0, 1 * time.Second}}, false},
		"successes of before do not hide it":      {[]step{{0, 1000, 0}, {4, 0, 1 * time.Second}}, true},
		"unless one comes between":                {[]step{{3, 1000, 0}, {3, 0, 1 * time.Second}}, false},
		"failures are forgotten with the window":  {[]step{{3, 1, 0}, {1, 0, window + time.Second}}, false},
		"and count within it":                     {[]step{{3, 1, 0}, {1, 0, window - 2*time.Second}}, true},
		"after a long silence nothing is left":    {[]step{{3, 1, 0}, {3, 1, time.Hour}, {2, 1, 5 * time.Hour}}, false},
		"one now and then is no row":              {[]step{{1, 0, 0}, {1, 0, time.Minute}, {1, 0, 2 * time.Minute}, {1, 0, 3 * time.Minute}}, false},
		"a clock that is set back brings nothing": {[]step{{3, 1, time.Hour}, {2, 1, 0}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var got tally
			for _, s := range c.steps {
				for i := range s.failed + s.succeeded {
					got.add(i < s.failed, time.Unix(1_700_000_000, 0).Add(s.at), window)
				}
			}
			if c.want != got.tooMany(config) {
				t.Errorf("too many is %t, want %t: %+v", !c.want, c.want, got)
			}
		})
	}
}

func TestSlowAnswersOpenTheCircuit(t *testing.T) {
	impatient := func(c *Config) { fragile(c); c.Limits.Breaker.SlowRequest = worker.Duration(time.Second) }
	script := answers{slow(200, 1001*time.Millisecond), slow(200, 2*time.Second), slow(200, 1400*time.Millisecond), slow(422, time.Second)}
	bubble(t, impatient, script, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		call := func(want outcome.Kind, state worker.Circuit) {
			t.Helper()
			if o := a.Call(t.Context(), request()); o.Kind != want || a.Report().Circuit != state {
				t.Errorf("got %v and a circuit that is %s, want %v and %s", o.Kind, a.Report().Circuit, want, state)
			}
		}
		call(outcome.Done, worker.CircuitClosed)
		call(outcome.Done, worker.CircuitOpen)
		call(outcome.Park, worker.CircuitOpen)
		time.Sleep(6 * time.Second)
		call(outcome.Done, worker.CircuitOpen) // a probe that is slow
		time.Sleep(6 * time.Second)
		call(outcome.Dead, worker.CircuitClosed) // refused, and in time
	})
}
