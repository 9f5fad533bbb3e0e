// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

type answers = []func(*http.Request) (*http.Response, error)

// fragile opens at the second failure of two, for five seconds.
func fragile(c *Config) {
	c.Limits.Breaker = worker.Breaker{FailurePercentage: 100, MinimumRequests: 2, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(5 * time.Second)}
}

// bubble runs a test on a clock of its own against a scripted third party.
func bubble(t *testing.T, change func(*Config), script answers, test func(t *testing.T, a *Adapter, s *scripted, o *observed)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{answers: script}
		c := config("http://third.party", change)
		c.Transport = s
		test(t, build(t, c), s, c.Observer.(*observed))
	})
}

func open(t *testing.T, a *Adapter) {
	t.Helper()
	for range 2 {
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Retry {
			t.Fatalf("a failure of a call that began closed: got %v, want retry", o.Kind)
		}
	}
	if state := a.Report().Circuit; state != worker.CircuitOpen {
		t.Fatalf("the circuit is %s, want open", state)
	}
}

func TestAnOpenCircuitParksWithoutAskingUntilItsTime(t *testing.T) {
	bubble(t, fragile, answers{status(500), status(500), status(200)}, func(t *testing.T, a *Adapter, s *scripted, o *observed) {
		open(t, a)
		parked := a.Call(t.Context(), request())
		if parked.Kind != outcome.Park || parked.Reason != CircuitOpen || s.count() != 2 {
			t.Fatalf("got %v %s after %d requests, want it parked after 2", parked.Kind, parked.Reason, s.count())
		}
		time.Sleep(5*time.Second - 1)
		if ended(parked.Resume) {
			t.Fatal("resumed before the open duration had passed")
		}
		time.Sleep(2 * time.Nanosecond)
		if !ended(parked.Resume) {
			t.Fatal("not resumed after the open duration")
		}
		if got := a.Call(t.Context(), request()); got.Kind != outcome.Done {
			t.Fatalf("the probe: got %v", got)
		}
		if diff := cmp.Diff([]worker.Circuit{worker.CircuitOpen, worker.CircuitHalfOpen, worker.CircuitClosed}, o.circuits); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOneProbeAtATime(t *testing.T) {
	bubble(t, fragile, answers{status(500), status(500), slow(200, time.Second)}, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
		open(t, a)
		time.Sleep(6 * time.Second)
		outcomes := make(chan outcome.Outcome, 20)
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() { outcomes <- a.Call(t.Context(), request()) })
		}
		synctest.Wait()
		if s.count() != 3 {
			t.Errorf("%d probes are in flight, want 1", s.count()-2)
		}
		calls.Wait()
		kinds := map[outcome.Kind]int{}
		for range 20 {
			o := <-outcomes
			kinds[o.Kind]++
			if o.Kind == outcome.Park && !ended(o.Resume) {
				t.Error("a message parked behind the probe is not resumed by its success")
			}
		}
		if diff := cmp.Diff(map[outcome.Kind]int{outcome.Done: 1, outcome.Park: 19}, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAFailedProbeIsNoAttempt(t *testing.T) {
	bubble(t, func(c *Config) { fragile(c); c.Limits.RequestAttempts = 3 }, answers{status(500)}, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
		a.Call(t.Context(), request())
		time.Sleep(6 * time.Second)
		before := s.count()
		o := a.Call(t.Context(), request())
		if o.Kind != outcome.Park || o.Reason != CircuitOpen || !strings.Contains(o.Detail, "ServerError") {
			t.Errorf("got %v %s %q, want it parked, with the reason in its detail", o.Kind, o.Reason, o.Detail)
		}
		if s.count() != before+1 {
			t.Errorf("the probe made %d requests, want 1", s.count()-before)
		}
		if ended(o.Resume) {
			t.Error("resumed at once")
		}
		time.Sleep(5*time.Second + 1)
		if !ended(o.Resume) {
			t.Error("not resumed after another open duration")
		}
	})
}

func TestAProbeThatIsRefusedForItsAccountSaysSo(t *testing.T) {
	bubble(t, fragile, answers{status(401)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		for range 2 { // opens the circuit
			a.Call(t.Context(), request())
		}
		time.Sleep(6 * time.Second)
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Park || o.Reason != CredentialRefused {
			t.Errorf("got %v %s %q, want it parked because the credential is refused", o.Kind, o.Reason, o.Detail)
		}
	})
}

func TestTheCircuitStaysOpenForAsLongAsTheThirdPartyAsksFor(t *testing.T) {
	const second = time.Second
	for name, c := range map[string]struct {
		script answers
		want   time.Duration
	}{
		"a failed probe that says when":         {answers{status(500), status(500), later(503, "60")}, 60 * second},
		"a failed probe that wants it sooner":   {answers{status(500), status(500), later(503, "1")}, 5 * second},
		"a failed probe that wants too much":    {answers{status(500), status(500), later(503, "86400")}, longestWish},
		"a failed probe that wants nothing":     {answers{status(500), later(503, "60"), status(500)}, 5 * second},
		"the failure that opens it, says when":  {answers{status(500), later(429, "60")}, 60 * second},
		"what is healthy again is closed early": {answers{status(500), status(500), status(200)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fragile, append(c.script, status(200)), func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
				open(t, a)
				if len(c.script) == 3 {
					time.Sleep(5 * time.Minute)
					a.Call(t.Context(), request())
				}
				asked, start := s.count(), time.Now()
				for o := a.Call(t.Context(), request()); o.Kind == outcome.Park; o = a.Call(t.Context(), request()) {
					<-o.Resume
				}
				if took := time.Since(start); took != c.want || s.count() != asked+1 {
					t.Errorf("open for %v and asked %d times, want %v and once", took, s.count()-asked, c.want)
				}
			})
		})
	}
}

func TestAProbeTheThirdPartyRefusesClosesTheCircuit(t *testing.T) {
	bubble(t, fragile, answers{status(500), status(500), status(422)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		open(t, a)
		time.Sleep(6 * time.Second)
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Dead || a.Report().Circuit != worker.CircuitClosed {
			t.Errorf("got %v, circuit %s", o.Kind, a.Report().Circuit)
		}
	})
}

func TestAnAbandonedProbeLeavesTheCircuitOpen(t *testing.T) {
	bubble(t, fragile, answers{status(500), status(500), slow(200, time.Second)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		open(t, a)
		time.Sleep(6 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if o := a.Call(ctx, request()); o.Kind != outcome.Park || a.Report().Circuit != worker.CircuitOpen {
			t.Errorf("got %v, circuit %s", o.Kind, a.Report().Circuit)
		}
		time.Sleep(6 * time.Second)
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
			t.Errorf("the next probe: got %v", o)
		}
	})
}

func TestALateVerdictFromBeforeTheCircuitOpenedIsIgnored(t *testing.T) {
	for name, late := range map[string]int{"a late failure does not reopen it": 500, "a late success does not close it": 200} {
		t.Run(name, func(t *testing.T) {
			slowly := func(c *Config) { fragile(c); c.Limits.Timeout = worker.Duration(time.Minute) }
			script := answers{slow(late, 7*time.Second), status(500), status(500), slow(200, 4*time.Second)}
			bubble(t, slowly, script, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
				first := make(chan outcome.Outcome, 1)
				go func() { first <- a.Call(t.Context(), request()) }()
				synctest.Wait()
				open(t, a)
				time.Sleep(6 * time.Second)
				probe := make(chan outcome.Outcome, 1)
				go func() { probe <- a.Call(t.Context(), request()) }()
				o := <-first // while the probe is out
				if late == 500 && o.Kind != outcome.Park {
					t.Errorf("a call that failed after others had opened the circuit: got %v, want it parked: no attempt", o.Kind)
				}
				if state := a.Report().Circuit; state != worker.CircuitHalfOpen {
					t.Errorf("the late verdict moved the circuit to %s", state)
				}
				if o := <-probe; o.Kind != outcome.Done {
					t.Errorf("the probe: got %v", o)
				}
			})
		})
	}
}

func TestChangedLimitsKeepAnOpenCircuitOpen(t *testing.T) {
	bubble(t, fragile, answers{status(500), status(500), status(200)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		open(t, a)
		parked := a.Call(t.Context(), request())
		limits := *a.limits.Load()
		limits.Breaker.OpenDuration = worker.Duration(time.Minute)
		a.SetLimits(limits)
		if state := a.Report().Circuit; state != worker.CircuitOpen {
			t.Fatalf("the circuit is %s, want open", state)
		}
		if !ended(parked.Resume) {
			t.Error("who waited for the old duration was not told to look again")
		}
		time.Sleep(59 * time.Second)
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Park {
			t.Errorf("within the new open duration: got %v", o.Kind)
		}
		time.Sleep(2 * time.Second)
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
			t.Errorf("after it: got %v", o.Kind)
		}
	})
}

func TestAChangedTimeoutHoldsForTheNextRequest(t *testing.T) {
	bubble(t, nil, answers{slow(200, time.Minute)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		for _, timeout := range []time.Duration{2 * time.Second, 5 * time.Second} {
			limits := *a.limits.Load()
			limits.Timeout = worker.Duration(timeout)
			a.SetLimits(limits)
			start := time.Now()
			if o := a.Call(t.Context(), request()); o.Reason != Timeout || time.Since(start) != timeout {
				t.Errorf("with %v: got %v %s after %v", timeout, o.Kind, o.Reason, time.Since(start))
			}
		}
	})
}

func TestRequestsAreRepeatedWithGrowingDelays(t *testing.T) {
	patient := func(c *Config) { c.Limits.RequestAttempts, c.Limits.RetryDelay = 4, worker.Duration(time.Second) }
	bubble(t, patient, answers{status(500), status(503), status(500), status(200)}, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || s.count() != 4 {
			t.Fatalf("got %v after %d requests", o.Kind, s.count())
		}
		for i, base := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			if delay := s.calls[i+1].Sub(s.calls[i]); delay < base*3/4 || delay > base*5/4 {
				t.Errorf("delay %d is %v, want %v give or take a quarter", i+1, delay, base)
			}
		}
	})
}

func TestRequestsAreNotRepeatedWhereItCannotHelp(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		answer func(*http.Request) (*http.Response, error)
		want   int
	}{
		"the message is refused":       {nil, status(400), 1},
		"the third party said when":    {nil, later(429, "60"), 1},
		"the credential is refused":    {nil, status(401), 1},
		"the circuit opened meanwhile": {fragile, status(500), 2},
	} {
		t.Run(name, func(t *testing.T) {
			patient := func(cfg *Config) {
				if c.change != nil {
					c.change(cfg)
				}
				cfg.Limits.RequestAttempts = 5
			}
			bubble(t, patient, answers{c.answer}, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
				if o := a.Call(t.Context(), request()); s.count() != c.want || o.Kind == outcome.Park {
					t.Errorf("got %d requests and %v, want %d and no parking: the attempt had begun", s.count(), o.Kind, c.want)
				}
			})
		})
	}
}

func TestTheRateIsKeptAndWaitingIsNoWork(t *testing.T) {
	limited := func(c *Config) { c.Limits.RequestsPerSecond, c.Limits.Burst = 5, 1 }
	bubble(t, limited, answers{status(200)}, func(t *testing.T, a *Adapter, s *scripted, o *observed) {
		var calls sync.WaitGroup
		var clocks [21]WaitClock
		start := time.Now()
		for i := range clocks {
			calls.Go(func() {
				if got := a.Call(WithWaitClock(t.Context(), &clocks[i]), request()); got.Kind != outcome.Done {
					t.Errorf("got %v", got)
				}
			})
		}
		calls.Wait()
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("21 requests at 5 per second took %v, want 4s", took)
		}
		for i := 1; i < len(s.calls); i++ {
			if gap := s.calls[i].Sub(s.calls[i-1]); gap < 200*time.Millisecond {
				t.Errorf("requests %d and %d are %v apart", i, i+1, gap)
			}
		}
		var waited time.Duration
		for i := range clocks {
			waited += clocks[i].Waited()
		}
		// 0 + 0.2 + … + 4.0 seconds
		if want := 42 * time.Second; waited.Round(time.Millisecond) != want || o.waited.Round(time.Millisecond) != want {
			t.Errorf("waited %v by the clocks and %v by the observer, want %v", waited, o.waited, want)
		}
	})
}

func TestARateThatAdmitsNobodyWithinASecondParks(t *testing.T) {
	limited := func(c *Config) { c.Limits.RequestsPerSecond, c.Limits.Burst = 0.1, 1 }
	bubble(t, limited, answers{status(200)}, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
		a.Call(t.Context(), request())
		o := a.Call(t.Context(), request())
		if o.Kind != outcome.Park || o.Reason != RateLimited || s.count() != 1 {
			t.Fatalf("got %v %s after %d requests", o.Kind, o.Reason, s.count())
		}
		time.Sleep(9 * time.Second)
		if ended(o.Resume) {
			t.Fatal("resumed too early")
		}
		time.Sleep(time.Second + time.Millisecond)
		if !ended(o.Resume) {
			t.Fatal("not resumed when the rate admits the next")
		}
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
			t.Errorf("got %v", o)
		}
	})
}

func TestTheRateChangesWhileMessagesWait(t *testing.T) {
	limited := func(c *Config) { c.Limits.RequestsPerSecond, c.Limits.Burst = 1, 1 }
	bubble(t, limited, answers{status(200)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		var calls sync.WaitGroup
		start := time.Now()
		for range 101 {
			calls.Go(func() { a.Call(t.Context(), request()) })
		}
		synctest.Wait()
		limits := *a.limits.Load()
		limits.RequestsPerSecond = 100
		a.SetLimits(limits)
		calls.Wait()
		if took := time.Since(start); took > 2*time.Second+time.Millisecond {
			t.Errorf("101 requests took %v after the rate was raised to 100 per second", took)
		}
	})
}

func TestConcurrencyIsBoundedAndChangesLive(t *testing.T) {
	limited := func(c *Config) { c.Limits.Concurrency = 2 }
	bubble(t, limited, answers{slow(200, time.Second)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		var calls sync.WaitGroup
		for range 12 {
			calls.Go(func() {
				if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
					t.Errorf("got %v", o)
				}
			})
		}
		inFlight := func(want int) {
			t.Helper()
			synctest.Wait()
			if got := a.Report().InFlight; got != want {
				t.Errorf("%d requests in flight, want %d", got, want)
			}
		}
		resize := func(n int) {
			limits := *a.limits.Load()
			limits.Concurrency = n
			a.SetLimits(limits)
		}
		inFlight(2)
		resize(5)
		inFlight(5)
		resize(1)
		inFlight(5)
		time.Sleep(time.Second)
		inFlight(1)
		resize(0)
		inFlight(7)
		calls.Wait()
	})
}

func TestWaitingForALimitEndsWithTheContext(t *testing.T) {
	limited := func(c *Config) { c.Limits.Concurrency = 1; c.Limits.RequestsPerSecond, c.Limits.Burst = 1, 1 }
	bubble(t, limited, answers{slow(200, 1500*time.Millisecond)}, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
		var first sync.WaitGroup
		first.Go(func() { a.Call(t.Context(), request()) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if o := a.Call(ctx, request()); o.Kind != outcome.Park || o.Reason != Stopping || s.count() != 1 {
			t.Errorf("got %v %s after %d requests", o.Kind, o.Reason, s.count())
		}
		first.Wait()
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
			t.Errorf("the place was not given back: got %v", o)
		}
	})
}

func TestASecretIsReadAgain(t *testing.T) {
	var token string
	script := answers{func(r *http.Request) (*http.Response, error) {
		token = r.Header.Get("Authorization")
		return status(200)(r)
	}}
	dir := writeSecret(t, nil)
	bearer := func(c *Config) {
		c.Spec.Auth = &worker.Auth{Type: worker.AuthBearer}
		c.CredentialDir = dir
	}
	bubble(t, bearer, script, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		o := a.Call(t.Context(), request())
		if o.Kind != outcome.Park || o.Reason != CredentialMissing || o.Resume == nil || !strings.Contains(o.Detail, `the Secret's key "token" is missing`) {
			t.Fatalf("without the file: got %v", o)
		}
		if report := a.Report(); !strings.HasPrefix(report.LastError, "CredentialMissing: ") {
			t.Errorf("reported as %q", report.LastError)
		}
		time.Sleep(recheck + time.Millisecond)
		if !ended(o.Resume) {
			t.Error("not looked for again")
		}
		for _, value := range []string{"old", "new"} {
			swapSecret(t, dir, value)
			time.Sleep(time.Second)
			if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || token != "Bearer "+value {
				t.Fatalf("with the token %q: got %v and %q", value, o, token)
			}
		}
		for _, bad := range []string{"", "two\nlines"} {
			swapSecret(t, dir, bad)
			time.Sleep(time.Second)
			if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || token != "Bearer new" || !strings.Contains(a.Report().CredentialProblem, `key "token"`) {
				t.Errorf("with the token %q: got %v with %q, and the problem is %q", bad, o, token, a.Report().CredentialProblem)
			}
		}
		swapSecret(t, dir, "corrected")
		time.Sleep(time.Second)
		if problem := a.Report().CredentialProblem; problem != "" {
			t.Errorf("without a message since the Secret was corrected, its problem is still %q", problem)
		}
	})
}

func TestAnHMACKeyIsRotatedAtEitherEndFirst(t *testing.T) {
	for name, refusal := range map[string]struct {
		status int
		reason outcome.Reason
	}{
		"where a key is refused by the status":           {http.StatusForbidden, CredentialRefused},
		"where a rule says what 200 and its like refuse": {http.StatusAccepted, AccountRefused},
	} {
		t.Run(name, func(t *testing.T) {
			taken, seen := "old", ""
			script := answers{func(r *http.Request) (*http.Response, error) {
				id := r.Header.Get("X-Id")
				seen += id + " "
				if id != taken {
					return status(refusal.status)(r)
				}
				return status(200)(r)
			}}
			overlapping := func(c *Config) {
				c.Spec.Auth = &worker.Auth{Type: worker.AuthHMAC, SignatureHeader: "X-Sig", TimestampHeader: "X-Time", KeyIDHeader: "X-Id"}
				c.Spec.SuccessExpression = "response.status == 200"
				c.Spec.ResponseRules = []worker.ResponseRule{{WhenExpression: "response.status == 202", Outcome: worker.ResponsePark}}
				c.CredentialDir = writeSecret(t, map[string]string{"key-id": "new", "secret": "2", "previous-key-id": "old", "previous-secret": "1"})
			}
			bubble(t, overlapping, script, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
				for _, step := range []struct{ sentence, taken, want string }{
					{"the third party does not know the newest yet", "old", "new old "},
					{"nor a moment later", "old", "old "},
					{"it does by now", "new", "old new "},
					{"and a moment later", "new", "new "},
					{"it has gone back", "old", "new old "},
					{"and looks after a while", "old", "new old "},
				} {
					if taken, seen = step.taken, ""; strings.HasPrefix(step.sentence, "and looks") {
						time.Sleep(olderFor)
					}
					if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || seen != step.want {
						t.Errorf("%s: got %v after requests signed by %s, want %s", step.sentence, o, seen, step.want)
					}
				}
				for _, want := range []string{"old new ", "new old ", "new old "} { // and neither is the one to begin with
					if taken, seen = "none", ""; a.Call(t.Context(), request()).Reason != refusal.reason || seen != want {
						t.Errorf("where neither is taken, requests were signed by %s, want %s", seen, want)
					}
				}
			})
		})
	}
}

func TestAWaitBesideAnotherIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := new(WaitClock)
		ctx := WithWaitClock(t.Context(), clock)
		for _, wait := range []struct{ begins, lasts time.Duration }{{0, 2 * time.Second}, {time.Second, 2 * time.Second}, {5 * time.Second, time.Second}} {
			time.AfterFunc(wait.begins, func() { time.AfterFunc(wait.lasts, Waiting(ctx)) })
		}
		for second, want := range []float64{0, 1, 2, 3, 3, 3, 4, 4} {
			synctest.Wait()
			if got := clock.Waited().Seconds(); got != want {
				t.Errorf("after %d s the clock has %v s, want %v", second, got, want)
			}
			time.Sleep(time.Second)
		}
	})
}

// While a key is rotated each message's request may wait for the rate twice. Neither is the third party's time, nor work on the message.
func TestARequestThatWaitsToBeSignedByTheOtherKeyIsNotSlow(t *testing.T) {
	const takes = 10 * time.Millisecond
	script := answers{func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Id") != "old" {
			return slow(http.StatusForbidden, takes)(r)
		}
		return slow(200, takes)(r)
	}}
	rotated := func(c *Config) {
		fragile(c)
		c.Limits.Breaker.SlowRequest, c.Limits.RequestsPerSecond = worker.Duration(2*time.Second), 5
		c.Spec.Auth = &worker.Auth{Type: worker.AuthHMAC, SignatureHeader: "X-Sig", TimestampHeader: "X-Time", KeyIDHeader: "X-Id"}
		c.CredentialDir = writeSecret(t, map[string]string{"key-id": "new", "secret": "2", "previous-key-id": "old", "previous-secret": "1"})
	}
	bubble(t, rotated, script, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		var calls sync.WaitGroup
		for range 64 {
			calls.Go(func() {
				clock, start := new(WaitClock), time.Now()
				o := a.Call(WithWaitClock(t.Context(), clock), request())
				if worked := time.Since(start) - clock.Waited(); o.Kind != outcome.Done || worked > 2*takes {
					t.Errorf("got %v after %v of work, want done after %v at most", o, worked, 2*takes)
				}
			})
		}
		calls.Wait()
		if state := a.Report().Circuit; state != worker.CircuitClosed {
			t.Errorf("the circuit of a third party that is well is %s", state)
		}
	})
}

// swapSecret swaps a file as the kubelet does: a new folder, and a symbolic link that is renamed over the old.
func swapSecret(t *testing.T, dir, token string) {
	t.Helper()
	version := writeSecret(t, map[string]string{"token": token})
	next := filepath.Join(dir, "..next")
	if err := os.Symlink(version, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..data/token", filepath.Join(dir, "token")); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}
