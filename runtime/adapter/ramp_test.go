// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// crowd keeps so many callers calling until ctx ends.
func crowd(ctx context.Context, a *Adapter, callers int) *sync.WaitGroup {
	var calls sync.WaitGroup
	for range callers {
		calls.Go(func() {
			for ctx.Err() == nil {
				if o := a.Call(ctx, request()); o.Kind == outcome.Park {
					select {
					case <-o.Resume:
					case <-ctx.Done():
					}
				}
			}
		})
	}
	return &calls
}

// recovered returns an adapter whose circuit was open, and closed just now.
func recovered(t *testing.T, change func(*Config), then func(*http.Request) (*http.Response, error)) (*Adapter, *scripted) {
	t.Helper()
	s := &scripted{answers: answers{status(500), status(500), then}}
	c := config("http://third.party", func(c *Config) { fragile(c); change(c) })
	c.Transport = s
	a := build(t, c)
	open(t, a)
	time.Sleep(6 * time.Second)
	if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
		t.Fatalf("the probe: got %v", o)
	}
	return a, s
}

func TestConcurrencyComesBackLittleByLittle(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   []int // in flight, each half second
	}{
		"up to the limit":   {func(c *Config) { c.Limits.Concurrency = 32 }, []int{2, 4, 8, 16, 32, 32}},
		"up to the callers": {func(c *Config) { c.Callers = 16 }, []int{1, 2, 4, 8, 16, 16}},
		"up to the lower":   {func(c *Config) { c.Limits.Concurrency, c.Callers = 1000, 32 }, []int{2, 4, 8, 16, 32, 32}},
		"from one at least": {func(c *Config) { c.Limits.Concurrency = 4 }, []int{1, 1, 1, 2, 4, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := recovered(t, c.change, slow(200, 100*time.Millisecond))
				ctx, cancel := context.WithCancel(t.Context())
				callers := 50
				if a.gate.callers > 0 {
					callers = a.gate.callers
				}
				calls := crowd(ctx, a, callers)
				var got []int
				for range c.want {
					time.Sleep(50 * time.Millisecond)
					synctest.Wait()
					got = append(got, a.Report().InFlight)
					time.Sleep(460 * time.Millisecond)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
				cancel()
				calls.Wait()
			})
		})
	}
}

// Requests from before an outage hang for as long as their timeout: neither the way back nor its first step waits for them.
func TestWhatHangsFromBeforeAnOutageDoesNotHoldTheRecoveryBack(t *testing.T) {
	const hanging, takes = 12, 10 * time.Millisecond
	script := append(slices.Repeat(answers{slow(200, time.Hour)}, hanging), status(500), status(500), slow(200, takes))
	bubble(t, func(c *Config) { fragile(c); c.Limits.Concurrency = 16 }, script, func(t *testing.T, a *Adapter, s *scripted, _ *observed) {
		var stuck sync.WaitGroup
		for range hanging {
			stuck.Go(func() { a.Call(t.Context(), request()) })
		}
		synctest.Wait()
		open(t, a)
		time.Sleep(6 * time.Second)
		for _, who := range []string{"the probe", "the next"} {
			start := time.Now()
			if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || time.Since(start) > takes {
				t.Fatalf("%s: got %v after %v, want that it is done at once", who, o, time.Since(start))
			}
		}
		admitted := func() int { // of four at once
			var calls sync.WaitGroup
			defer calls.Wait()
			before := a.Report().InFlight
			for range 4 {
				calls.Go(func() { a.Call(t.Context(), request()) })
			}
			synctest.Wait()
			return a.Report().InFlight - before
		}
		if n := admitted(); n != 1 {
			t.Errorf("beside what hangs %d requests are in flight, want a sixteenth of 16", n)
		}
		stuck.Wait()
		if n := admitted(); n != 2 {
			t.Errorf("after what hung has ended %d requests are in flight, want an eighth of 16", n)
		}
		part := a.gate.ramp.part()
		time.Sleep(rampStep)
		a.Call(t.Context(), request())
		if got := a.gate.ramp.part(); got != 2*part {
			t.Errorf("a success after those from before have timed out leads from %v of the limits to %v, want twice as much", part, got)
		}
	})
}

// TestADrainNeverExceedsTheRate: with callers that waited through the outage, no second after it sees more requests than the limit, and in the end all
// of the limit is used.
func TestADrainNeverExceedsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 100
		a, s := recovered(t, func(c *Config) { c.Limits.RequestsPerSecond, c.Limits.Burst = rate, 1 }, slow(200, 10*time.Millisecond))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		crowd(ctx, a, 50).Wait()
		var times []time.Time
		for _, at := range s.calls {
			if at.After(start) {
				times = append(times, at)
			}
		}
		second := func(n int) (count int) { // calls in the n-th
			for _, at := range times {
				if from := start.Add(time.Duration(n) * time.Second); !at.Before(from) && at.Before(from.Add(time.Second)) {
					count++
				}
			}
			return count
		}
		for i := range times {
			last := i
			for last+1 < len(times) && times[last+1].Sub(times[i]) < time.Second-time.Microsecond {
				last++
			}
			if n := last - i + 1; n > rate {
				t.Fatalf("%d requests within a second, from %v on, want %d at most", n, times[i].Sub(start), rate)
			}
		}
		if first := second(0); first > rate/8 {
			t.Errorf("%d requests in the first second, want no more than an eighth of the rate: it has just come back", first)
		}
		if full := second(8); full < rate-1 {
			t.Errorf("%d requests in a second long after it came back, want %d", full, rate)
		}
	})
}

func TestARampNeedsSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r ramp
		r.start(time.Now())
		after := func(d time.Duration, verdicts ...verdict) float64 {
			for _, v := range verdicts[:len(verdicts)-1] {
				r.note(v, time.Now)
			}
			time.Sleep(d)
			r.note(verdicts[len(verdicts)-1], time.Now)
			return r.part()
		}
		for i, step := range []struct {
			verdicts []verdict
			after    time.Duration
			want     float64
		}{
			{[]verdict{healthy, healthy}, rampStep - 1, firstPart},
			{[]verdict{healthy}, 1, 2 * firstPart},
			{[]verdict{failing, healthy}, rampStep, 2 * firstPart},
			{[]verdict{noVerdict}, rampStep, 2 * firstPart},
			{slices.Repeat([]verdict{failing}, 100), 0, 2 * firstPart},
			{slices.Repeat([]verdict{healthy}, debt), rampStep, 2 * firstPart},
			{[]verdict{healthy}, 0, 4 * firstPart},
			{[]verdict{healthy}, rampStep, 8 * firstPart},
			{[]verdict{healthy}, rampStep, 1},
			{[]verdict{failing}, rampStep, 1},
		} {
			if got := after(step.after, step.verdicts...); got != step.want {
				t.Errorf("after step %d the part is %v, want %v", i, got, step.want)
			}
		}
	})
}

// queueing serves so many at once, each for a while; the rest waits there.
func queueing(places int, each time.Duration) func(*http.Request) (*http.Response, error) {
	busy := make(chan struct{}, places)
	return func(r *http.Request) (*http.Response, error) {
		select {
		case busy <- struct{}{}:
			defer func() { <-busy }()
			return slow(200, each)(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func TestAThirdPartyThatQueuesIsNotPushedOver(t *testing.T) {
	const places, each, length = 4, 100 * time.Millisecond, 30 * time.Second
	served := func(adaptive bool) (requests, allowed int) {
		synctest.Test(t, func(t *testing.T) {
			s := &scripted{answers: answers{queueing(places, each)}}
			c := config("http://third.party", func(c *Config) { c.Limits.Concurrency, c.Limits.Adaptive = 64, adaptive })
			c.Transport = s
			a := build(t, c)
			ctx, cancel := context.WithTimeout(t.Context(), length)
			defer cancel()
			crowd(ctx, a, 64).Wait()
			requests, allowed = s.count(), a.Report().Allowed
		})
		return requests, allowed
	}
	fixed, all := served(false)
	adapted, some := served(true)
	if all != 64 || some > 3*places {
		t.Errorf("fixed allows %d and adaptive %d in flight, want 64 and %d at most", all, some, 3*places)
	}
	if adapted < fixed*9/10 {
		t.Errorf("adaptive made %d requests, fixed %d: want 0.9 of them", adapted, fixed)
	}
}

// Where the rate is the bound, more in flight is not what would bring more.
func TestWhoWaitsForTheRateIsNotInFlight(t *testing.T) {
	limited := func(c *Config) { c.Limits.RequestsPerSecond, c.Limits.Concurrency, c.Limits.Adaptive = 50, 64, true }
	bubble(t, limited, answers{slow(200, 20*time.Millisecond)}, func(t *testing.T, a *Adapter, _ *scripted, _ *observed) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		crowd(ctx, a, 64).Wait()
		if allowed := a.Report().Allowed; allowed > 2*firstLimit {
			t.Errorf("%d requests in flight are allowed where one serves the whole rate, want %d at most", allowed, 2*firstLimit)
		}
	})
}

// Told after the gate's lock was left, two steps could change places, and a part of the rate would be lost for good.
func TestTheRateHearsOfEveryStepInItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []float64
		g := gate{limit: 16}
		g.admitted = func(part float64) {
			if g.mu.TryLock() {
				g.mu.Unlock()
				t.Error("the gate is not held")
			}
			told = append(told, part)
		}
		g.restart()
		for range 8 {
			time.Sleep(rampStep)
			if !g.tryEnter() {
				t.Fatal("there is no room")
			}
			g.finish(sample{began: time.Now(), ended: time.Now()}, healthy, false)
		}
		if want := []float64{1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1}; !slices.Equal(told, want) {
			t.Errorf("told was %v, want %v", told, want)
		}
	})
}
