// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package scaling_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/scaling"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// quiet is a group of two ready pods that each handle 10 messages/s while 15 arrive: two pods are right.
func quiet() scaling.Input {
	return scaling.Input{
		Now: noon, LastStep: noon.Add(-time.Hour),
		Min: 1, Max: 8, TargetDrainTime: time.Minute, Queues: 16,
		Replicas: 2, Ready: 2,
		LagKnown: true, ArrivalKnown: true, ArrivalRate: 15, RatePerReplica: 10,
	}
}

func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*scaling.Input)
		want   int32
		bound  v1alpha1.ScalingBound
		says   string
	}{
		"as many pods as the arrivals need":                   {func(*scaling.Input) {}, 2, v1alpha1.BoundNone, "2 wanted: 15.0 messages/s arrive, 0 wait and should be worked off in 1m0s, and one pod handles 10.0/s"},
		"a backlog adds what works it off in the target time": {func(in *scaling.Input) { in.Lag = 1500 }, 4, v1alpha1.BoundNone, "1500 wait"},
		"up goes as far as needed at once":                    {func(in *scaling.Input) { in.ArrivalRate = 70 }, 7, v1alpha1.BoundNone, ""},
		"not above the maximum":                               {func(in *scaling.Input) { in.ArrivalRate = 1000 }, 8, v1alpha1.BoundMaximum, "maxReplicas is 8: 100 wanted"},
		"at the maximum the bound is the maximum, not the step": {func(in *scaling.Input) {
			in.ArrivalRate, in.Replicas, in.Ready, in.LastStep = 1000, 8, 7, noon
		}, 8, v1alpha1.BoundMaximum, "maxReplicas"},
		"not more pods than queues":                 {func(in *scaling.Input) { in.ArrivalRate, in.Queues = 1000, 4 }, 4, v1alpha1.BoundQueues, "the topic has 4 queues"},
		"an unknown number of queues is no bound":   {func(in *scaling.Input) { in.ArrivalRate, in.Queues = 70, 0 }, 7, v1alpha1.BoundNone, ""},
		"not below the minimum":                     {func(in *scaling.Input) { in.ArrivalRate, in.Min = 0, 2 }, 2, v1alpha1.BoundMinimum, "minReplicas is 2"},
		"a raised minimum counts at once":           {func(in *scaling.Input) { in.Min, in.LagKnown = 5, false }, 5, v1alpha1.BoundMinimum, "minReplicas is 5"},
		"a lowered maximum counts at once":          {func(in *scaling.Input) { in.Max, in.LagKnown, in.LastStep = 1, false, noon }, 1, v1alpha1.BoundMaximum, "maxReplicas is 1"},
		"an unknown lag holds":                      {func(in *scaling.Input) { in.LagKnown, in.Lag, in.ArrivalRate = false, 9999, 999 }, 2, v1alpha1.BoundLagUnknown, "the broker could not be asked"},
		"an unknown arrival rate holds":             {func(in *scaling.Input) { in.ArrivalKnown, in.Lag = false, 9999 }, 2, v1alpha1.BoundLagUnknown, "arrival rate"},
		"nothing to do, and it is not lowered":      {func(in *scaling.Input) { in.ArrivalKnown, in.ArrivalRate = false, 0 }, 2, v1alpha1.BoundLagUnknown, "arrival rate"},
		"nothing to do for the fewest":              {func(in *scaling.Input) { in.ArrivalKnown, in.ArrivalRate, in.Min = false, 0, 2 }, 2, v1alpha1.BoundMinimum, "no message waits"},
		"an unknown rate holds":                     {func(in *scaling.Input) { in.RatePerReplica, in.Lag = 0, 9999 }, 2, v1alpha1.BoundRateUnknown, "until it was seen while messages waited"},
		"an unknown rate holds going down too":      {func(in *scaling.Input) { in.RatePerReplica, in.ArrivalRate = 0, 0.1 }, 2, v1alpha1.BoundRateUnknown, ""},
		"without work the rate does not matter":     {func(in *scaling.Input) { in.RatePerReplica, in.ArrivalRate = 0, 0 }, 1, v1alpha1.BoundNone, "no message waits"},
		"an open circuit holds a step up":           {func(in *scaling.Input) { in.Lag, in.OpenCircuits = 9999, []string{"sms"} }, 2, v1alpha1.BoundCircuitOpen, "the circuit of adapter sms is open"},
		"an open circuit does not hold a step down": {func(in *scaling.Input) { in.ArrivalRate, in.OpenCircuits = 1, []string{"sms"} }, 1, v1alpha1.BoundNone, ""},
		"pods that are not ready hold a step up":    {func(in *scaling.Input) { in.Lag, in.Ready = 9999, 1 }, 2, v1alpha1.BoundRolloutInProgress, "1 of 2 pods are ready"},
		"a step up within 10 s of the last waits":   {func(in *scaling.Input) { in.Lag, in.LastStep = 9999, noon.Add(-9*time.Second) }, 2, v1alpha1.BoundStepLimit, "younger than 10s"},
		"a step up 10 s after the last is made":     {func(in *scaling.Input) { in.Lag, in.LastStep = 1500, noon.Add(-10*time.Second) }, 4, v1alpha1.BoundNone, ""},
		"down goes one pod at a time":               {func(in *scaling.Input) { in.Replicas, in.Ready, in.ArrivalRate = 8, 8, 1 }, 7, v1alpha1.BoundNone, ""},
		"a step down within 30 s of the last waits": {func(in *scaling.Input) { in.ArrivalRate, in.LastStep = 1, noon.Add(-29*time.Second) }, 2, v1alpha1.BoundStepLimit, "younger than 30s"},
		"down leaves room for a tenth more work":    {func(in *scaling.Input) { in.ArrivalRate = 9.5 }, 2, v1alpha1.BoundNone, ""},
		"down where a tenth more work fits":         {func(in *scaling.Input) { in.ArrivalRate = 9 }, 1, v1alpha1.BoundNone, ""},
		"any lag at zero replicas wakes one, whatever the rate": {func(in *scaling.Input) {
			in.Min, in.Replicas, in.Ready, in.Lag, in.RatePerReplica, in.ArrivalKnown, in.LastStep = 0, 0, 0, 1, 0, false, noon
		}, 1, v1alpha1.BoundNone, "woken by 1 waiting messages"},
		"zero stays zero without lag":                                   {func(in *scaling.Input) { in.Min, in.Replicas, in.Ready, in.ArrivalRate = 0, 0, 0, 0 }, 0, v1alpha1.BoundNone, "no message waits"},
		"zero is not left on an unknown lag":                            {func(in *scaling.Input) { in.Min, in.Replicas, in.Ready, in.LagKnown = 0, 0, 0, false }, 0, v1alpha1.BoundLagUnknown, ""},
		"a suspended group holds, whatever waits":                       {func(in *scaling.Input) { in.Suspended, in.Lag = true, 9999 }, 2, v1alpha1.BoundSuspended, "the group is suspended"},
		"a suspended group is not woken":                                {func(in *scaling.Input) { in.Suspended, in.Min, in.Replicas, in.Ready, in.Lag = true, 0, 0, 0, 1 }, 0, v1alpha1.BoundSuspended, ""},
		"a suspended group keeps the pods it has":                       {func(in *scaling.Input) { in.Suspended, in.ArrivalRate = true, 0 }, 2, v1alpha1.BoundSuspended, ""},
		"a raised minimum counts while a group is suspended":            {func(in *scaling.Input) { in.Suspended, in.Min = true, 3 }, 3, v1alpha1.BoundMinimum, "minReplicas is 3: the group is suspended"},
		"the last pod goes when nothing arrives, waits or is in flight": {func(in *scaling.Input) { in.Min, in.Replicas, in.Ready, in.ArrivalRate = 0, 1, 1, 0 }, 0, v1alpha1.BoundNone, ""},
		"the last pod stays while messages are in flight":               {func(in *scaling.Input) { in.Min, in.Replicas, in.Ready, in.ArrivalRate, in.InFlight = 0, 1, 1, 0, 3 }, 1, v1alpha1.BoundInFlight, "3 messages are in flight"},
		"the last pod stays while it was not heard":                     {func(in *scaling.Input) { in.Min, in.Replicas, in.Ready, in.ArrivalRate, in.InFlight = 0, 1, 1, 0, -1 }, 1, v1alpha1.BoundInFlight, "did not say"},
		"the last pod stays while a message waits":                      {func(in *scaling.Input) { in.Min, in.Replicas, in.Ready, in.ArrivalRate, in.Lag = 0, 1, 1, 0, 1 }, 1, v1alpha1.BoundNone, ""},
		"the last pod stays where the minimum is 1":                     {func(in *scaling.Input) { in.Replicas, in.Ready, in.ArrivalRate, in.LastStep = 1, 1, 0, noon }, 1, v1alpha1.BoundMinimum, "minReplicas is 1"},
	} {
		t.Run(name, func(t *testing.T) {
			in := quiet()
			test.change(&in)
			got := scaling.Decide(in)
			if got.Replicas != test.want || got.Bound != test.bound {
				t.Errorf("got %d held by %s, want %d held by %s: %s", got.Replicas, got.Bound, test.want, test.bound, got.Message)
			}
			if got.Message == "" || !strings.Contains(got.Message, test.says) {
				t.Errorf("the message %q does not say %q", got.Message, test.says)
			}
		})
	}
}

// anything is any state a group can be in, with pods within the user's bounds.
func anything(t *rapid.T) scaling.Input {
	low := rapid.Int32Range(0, 10).Draw(t, "min")
	high := rapid.Int32Range(max(low, 1), 20).Draw(t, "max")
	replicas := rapid.Int32Range(low, high).Draw(t, "replicas")
	return scaling.Input{
		Now: noon, LastStep: noon.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds since the last step")) * time.Second),
		Min: low, Max: high, TargetDrainTime: time.Duration(rapid.IntRange(10, 3600).Draw(t, "target")) * time.Second,
		Queues:   rapid.Int32Range(0, 32).Draw(t, "queues"),
		Replicas: replicas, Ready: rapid.Int32Range(0, replicas).Draw(t, "ready"),
		LagKnown: rapid.Bool().Draw(t, "lag known"), Lag: rapid.Int64Range(0, 1_000_000).Draw(t, "lag"),
		ArrivalKnown: rapid.Bool().Draw(t, "arrival known"), ArrivalRate: rapid.Float64Range(0, 5000).Draw(t, "arrival"),
		RatePerReplica: rapid.Float64Range(0, 500).Draw(t, "rate"),
		InFlight:       rapid.IntRange(-1, 100).Draw(t, "in flight"),
		OpenCircuits:   rapid.SliceOfN(rapid.Just("sms"), 0, 1).Draw(t, "open circuits"),
	}
}

func TestDecideHolds(t *testing.T) {
	// ceiling of a group whose pods are within the user's bounds.
	ceiling := func(in scaling.Input) int32 {
		if in.Queues == 0 {
			return in.Max
		}
		return min(in.Max, max(in.Queues, in.Min))
	}
	for property, holds := range map[string]func(t *rapid.T, in scaling.Input, got scaling.Decision) bool{
		"never below the minimum or above the maximum": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return got.Replicas >= in.Min && got.Replicas <= in.Max
		},
		"never more pods than queues, unless the minimum asks for them": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return in.Queues == 0 || got.Replicas <= max(in.Queues, in.Min)
		},
		"never up while a circuit is open, but to wake": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return len(in.OpenCircuits) == 0 || in.Replicas == 0 || got.Replicas <= in.Replicas
		},
		"never up or down while suspended, but to obey the user's bounds": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return !in.Suspended || got.Replicas == min(in.Replicas, ceiling(in))
		},
		"never up while the last step is not ready": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return in.Ready >= in.Replicas || got.Replicas <= in.Replicas
		},
		"never two steps within 10 s, but to wake or to obey the user's bounds": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return in.Now.Sub(in.LastStep) >= 10*time.Second || in.Replicas == 0 || got.Replicas == in.Replicas || got.Replicas == ceiling(in)
		},
		"unknown means hold, within the bounds": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return in.LagKnown || got.Replicas == min(in.Replicas, ceiling(in))
		},
		"zero only by choice and on proof of zero": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return got.Replicas > 0 || in.Min == 0 && (in.Replicas == 0 || in.LagKnown && in.Lag == 0 && in.InFlight == 0)
		},
		"more lag never means fewer pods": func(t *rapid.T, in scaling.Input, got scaling.Decision) bool {
			in.Lag += rapid.Int64Range(0, 1_000_000).Draw(t, "more lag")
			return scaling.Decide(in).Replicas >= got.Replicas
		},
		"the same input, the same decision, with a sentence": func(_ *rapid.T, in scaling.Input, got scaling.Decision) bool {
			return scaling.Decide(in) == got && got.Message != "" && got.Bound != ""
		},
	} {
		t.Run(property, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				in := anything(t)
				if got := scaling.Decide(in); !holds(t, in, got) {
					t.Fatalf("broken by %+v: %+v", in, got)
				}
			})
		})
	}
}

// TestAGroupComesToRest plays a backlog against a group whose pods handle 10 messages/s each, decision by decision.
func TestAGroupComesToRest(t *testing.T) {
	in := quiet()
	in.Replicas, in.Ready, in.ArrivalRate, in.Lag = 1, 1, 8, 2400
	lag, steps := float64(in.Lag), 0
	for range 600 {
		in.Now = in.Now.Add(time.Second)
		lag = max(0, lag+in.ArrivalRate-10*float64(in.Ready))
		in.Lag = int64(lag)
		if d := scaling.Decide(in); d.Replicas != in.Replicas {
			in.Replicas, in.LastStep, steps = d.Replicas, in.Now, steps+1
		}
		in.Ready = in.Replicas
	}
	if in.Replicas != 1 || in.Lag != 0 {
		t.Errorf("after ten minutes there are %d pods and %d messages wait", in.Replicas, in.Lag)
	}
	if steps > 6 {
		t.Errorf("%d steps were made for one backlog", steps)
	}
}
