// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package scaling

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

const (
	// stepInterval lies between two steps.
	stepInterval = 10 * time.Second
	// downInterval lies between any step and a step down.
	downInterval = 30 * time.Second
	// downMargin is the room that has to remain after a step down.
	downMargin = 1.1
)

// Input is all that is known at the moment of a decision.
type Input struct {
	// Now is the moment.
	Now time.Time

	// Min, Max and TargetDrainTime are the user's. Max is at least 1 and not below Min.
	Min, Max        int32
	TargetDrainTime time.Duration
	// Queues of the topic over all brokers. 0: not known, so no bound.
	Queues int32

	// Replicas is the number of pods that was last asked for; Ready is how many of these are ready.
	Replicas, Ready int32
	// LastStep is when Replicas last changed. Zero: never.
	LastStep time.Time

	// LagKnown says that Lag is the last that was seen, of a broker that answers.
	LagKnown bool
	// Lag is the number of messages not yet handled, retries included.
	Lag int64
	// ArrivalKnown says that ArrivalRate is known.
	ArrivalKnown bool
	// ArrivalRate is messages per second.
	ArrivalRate float64
	// RatePerReplica is messages per second that one ready pod handles while messages wait. 0: not known.
	RatePerReplica float64
	// InFlight is the number of messages being handled. Negative: a pod was not heard.
	InFlight int
	// Suspended: no pod hands out a message.
	Suspended bool
	// OpenCircuits are the third parties that are down.
	OpenCircuits []string
}

// Decision is how many pods there should be, and why.
type Decision struct {
	// Replicas wanted.
	Replicas int32
	// Bound that held it; BoundNone if it follows from lag and rate alone.
	Bound v1alpha1.ScalingBound
	// Message is the decision in words.
	Message string
}

// Decide says how many pods there should be.
func Decide(in Input) Decision {
	d := in.decide()
	switch {
	case d.Replicas < in.Min:
		return Decision{in.Min, v1alpha1.BoundMinimum, fmt.Sprintf("minReplicas is %d: %s", in.Min, d.Message)}
	case d.Replicas > in.ceiling() && in.ceiling() < in.Max:
		return Decision{in.ceiling(), v1alpha1.BoundQueues, fmt.Sprintf("the topic has %d queues, more pods would be idle: %s", in.Queues, d.Message)}
	case d.Replicas > in.ceiling():
		return Decision{in.Max, v1alpha1.BoundMaximum, fmt.Sprintf("maxReplicas is %d: %s", in.Max, d.Message)}
	}
	return d
}

// ceiling is the most pods that make sense. The user's minimum stands above the number of queues.
func (in Input) ceiling() int32 {
	if in.Queues == 0 {
		return in.Max
	}
	return min(in.Max, max(in.Queues, in.Min))
}

// decide is Decide without the user's bounds, which hold even where everything else is unknown.
func (in Input) decide() Decision {
	switch {
	case in.Suspended:
		return in.hold(v1alpha1.BoundSuspended, "the group is suspended, and pods hand out no message")
	case !in.LagKnown:
		return in.hold(v1alpha1.BoundLagUnknown, "the broker could not be asked for the lag")
	case in.Replicas == 0 && in.Lag > 0:
		return Decision{1, v1alpha1.BoundNone, fmt.Sprintf("woken by %d waiting messages", in.Lag)}
	case !in.ArrivalKnown && in.load() == 0 && in.Replicas <= in.Min: // no step to hold back
		return Decision{0, v1alpha1.BoundNone, in.words(0)}
	case !in.ArrivalKnown:
		return in.hold(v1alpha1.BoundLagUnknown, "the arrival rate is not known yet")
	case in.load() > 0 && in.RatePerReplica <= 0:
		return in.hold(v1alpha1.BoundRateUnknown, "how much one pod handles is not known until it was seen while messages waited")
	}
	up, down := in.needed(1), in.needed(downMargin)
	switch {
	case up > in.Replicas:
		return in.up(up)
	case down < in.Replicas:
		return in.down(down)
	}
	return Decision{in.Replicas, v1alpha1.BoundNone, in.words(in.Replicas)}
}

// up goes to wanted at once, unless more pods cannot help or the last step is still to show what it brings.
func (in Input) up(wanted int32) Decision {
	switch {
	case in.Replicas >= in.ceiling(): // no step to hold back: Decide names the bound
	case len(in.OpenCircuits) > 0:
		return in.hold(v1alpha1.BoundCircuitOpen, "the circuit of adapter "+strings.Join(in.OpenCircuits, ", ")+" is open and more pods cannot help; "+in.words(wanted))
	case in.Ready < in.Replicas:
		return in.hold(v1alpha1.BoundRolloutInProgress, fmt.Sprintf("%d of %d pods are ready; %s", in.Ready, in.Replicas, in.words(wanted)))
	case in.Now.Sub(in.LastStep) < stepInterval:
		return in.hold(v1alpha1.BoundStepLimit, fmt.Sprintf("the last step is younger than %s; %s", stepInterval, in.words(wanted)))
	}
	return Decision{wanted, v1alpha1.BoundNone, in.words(wanted)}
}

// down goes one pod at a time, and lets go of the last only on proof that nothing is left in it.
func (in Input) down(wanted int32) Decision {
	next := max(in.Replicas-1, wanted)
	switch {
	case in.Replicas <= in.Min: // no step to hold back: Decide names the bound
		next = wanted
	case in.Now.Sub(in.LastStep) < downInterval:
		return in.hold(v1alpha1.BoundStepLimit, fmt.Sprintf("the last step is younger than %s; %s", downInterval, in.words(wanted)))
	case next == 0 && in.InFlight < 0:
		return in.hold(v1alpha1.BoundInFlight, "the last pod stays, since it did not say whether messages are in flight")
	case next == 0 && in.InFlight > 0:
		return in.hold(v1alpha1.BoundInFlight, fmt.Sprintf("the last pod stays while %d messages are in flight", in.InFlight))
	}
	return Decision{next, v1alpha1.BoundNone, in.words(wanted)}
}

func (in Input) hold(bound v1alpha1.ScalingBound, why string) Decision {
	return Decision{in.Replicas, bound, why}
}

// load is the messages per second that have to be handled so that the backlog is gone in time.
func (in Input) load() float64 {
	return in.ArrivalRate + float64(in.Lag)/in.TargetDrainTime.Seconds()
}

// needed is the number of pods for margin times the load. Without load it is 0, whatever the rate.
func (in Input) needed(margin float64) int32 {
	if in.load() == 0 {
		return 0
	}
	return int32(min(math.Ceil(in.load()*margin/in.RatePerReplica), math.MaxInt32))
}

// words is the wanted number with the figures it was made of.
func (in Input) words(wanted int32) string {
	if in.load() == 0 {
		return fmt.Sprintf("%d wanted: no message waits, and none is seen to arrive", wanted)
	}
	return fmt.Sprintf("%d wanted: %.1f messages/s arrive, %d wait and should be worked off in %s, and one pod handles %.1f/s",
		wanted, in.ArrivalRate, in.Lag, in.TargetDrainTime, in.RatePerReplica)
}
