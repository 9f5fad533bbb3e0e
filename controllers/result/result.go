// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// State is the way a step ended.
type State int

// The states, from good to bad.
const (
	Done State = iota
	Waiting
	Unknown
	Stalled
)

// Result is how a step ended. The zero value is done.
type Result struct {
	// State is set by Wait, Stall and Fail.
	State State
	// Reason is one of v1alpha1's Reason constants. Empty where the step is done.
	Reason string
	// Message says what is wrong, why, and what to do; it goes to conditions and events as it is.
	Message string
	// After is when to look again, at the latest. 0: at the regular interval.
	After time.Duration
	// Err is why a fact could not be read or set; nil but for Fail.
	Err error
}

// IsDone reports that nothing is in the way.
func (r Result) IsDone() bool { return r.State == Done }

// Wait is a step that is on its way: it is looked at again after the given time.
func Wait(reason string, after time.Duration, format string, args ...any) Result {
	return Result{State: Waiting, Reason: reason, After: after, Message: fmt.Sprintf(format, args...)}
}

// Stall is a step that goes on only when somebody has changed something.
func Stall(reason, format string, args ...any) Result {
	return Result{State: Stalled, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Again is r, looked at again after the given time.
func (r Result) Again(after time.Duration) Result {
	r.After = after
	return r
}

// Fail is a step that could not read or set what it had to; the message says what that was. err is appended to it.
func Fail(reason string, err error, format string, args ...any) Result {
	what := fmt.Sprintf(format, args...)
	return Result{State: Unknown, Reason: reason, Message: what + ": " + err.Error(), Err: fmt.Errorf("%s: %w", what, err)}
}

// Worst returns the result that matters most: the first Stalled one, since waiting does not help it, else the first Unknown, else the
// first Waiting one. It is done if all are.
func Worst(results ...Result) Result {
	var worst Result
	for _, r := range results {
		if r.State > worst.State {
			worst = r
		}
	}
	return worst
}

// Reconcile turns the results of all steps into the answer to the queue: an error if a step failed (pauses grow, see Backoff), else the
// shortest time a step asked for, and the regular interval at the latest. The interval is spread by 10 % either way, so that objects made
// at one moment do not ask the broker at one moment for ever.
func Reconcile(interval time.Duration, results ...Result) (reconcile.Result, error) {
	after := spread(interval)
	var errs []error
	for _, r := range results {
		errs = append(errs, r.Err)
		if r.After > 0 {
			after = min(after, r.After)
		}
	}
	next := reconcile.Result{Priority: new(0)} // whoever came before others for a reason has been looked at
	if err := errors.Join(errs...); err != nil {
		return next, err
	}
	next.RequeueAfter = after
	return next, nil
}

func spread(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)/5*float64(d))
}

const (
	minBackoff = 500 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// Backoff returns the pauses after failed reconciles: from half a second, doubling, to half a minute. A broker that comes back is seen
// within that time, where the library's default would look away for a quarter of an hour.
func Backoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](minBackoff, maxBackoff)
}
