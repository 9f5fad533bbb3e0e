// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Request is what a step asks of the third party.
type Request struct {
	// Step names it in metrics and details.
	Step   string
	Method string
	// Path is appended to the adapter's URL; "" or begins with "/".
	Path string
	// PathMapped: the path is made of the order, and so is not to be shown.
	PathMapped bool
	// Body is JSON, nil for none.
	Body []byte
	// Key is the idempotency key, the same for every attempt; "" sends none.
	Key string
	// Message is what the request is made from, for the status query; nil where it never was attempted before.
	Message expression.Message
	// MaybeMade: it may have been made before, by whoever had the message's queue or in a call that ended parked, even if this is the first attempt that is counted.
	MaybeMade bool

	reader reader // nil: the adapter's meaning
}

const (
	// recheck is how long a message is parked by something that only a person can put right.
	recheck = 5 * time.Second
	// jitter is the part of a delay by which it may be shorter or longer.
	jitter = 0.25
)

// Call asks the third party, several times if that may help and the limits say so, and returns what it means for the message. Details are
// without any data of the order.
func (a *Adapter) Call(ctx context.Context, r Request) outcome.Outcome {
	limits := a.limits.Load()
	if a.asksFirst(r) {
		if settled := a.settle(ctx, r, limits); settled != nil {
			return *settled
		}
	}
	var failure answer
	a.repeats.earn()
	for try, delay := 1, limits.RetryDelay.D(); ; try, delay = try+1, 2*delay {
		p, hold := a.admit(ctx)
		if hold != nil && try > 1 {
			return a.conclude(failure) // the attempt has begun, and counts
		}
		if hold != nil {
			hold.Detail = a.detail(r, hold.Detail)
			return *hold
		}
		ans, seen := a.ask(ctx, r, p, limits)
		late := a.finish(p.ticket, ans, seen, limits.Breaker.SlowRequest.D())
		if ans.result == success {
			return outcome.Succeed()
		}
		ans.detail = a.detail(r, ans.detail)
		ans = ans.behind(failure)
		// Others opened the circuit while this one was under way: no attempt either, or an outage would burn as many as there were in flight.
		if (p.probe || late) && ans.result == transient && !a.mustNotRepeat(ans) {
			return a.park(ans)
		}
		if try >= limits.RequestAttempts || !a.mayRepeat(ans, p.ticket) || !pause(ctx, delay) {
			return a.conclude(ans)
		}
		failure = ans
	}
}

// mayRepeat reports whether a request is to be made again at once: whether that can help, and the budget allows it.
func (a *Adapter) mayRepeat(ans answer, t ticket) bool {
	if !ans.repeatable() || a.unsettled(ans) || !a.circuit.closed(t) {
		return false
	}
	allowed := a.repeats.spend()
	a.observer.Repeated(a.spec.Name, allowed)
	return allowed
}

// finish tells those who protect the third party what a request says about it. An answer that came too late to be of use says what none
// would. late: the circuit has moved meanwhile.
func (a *Adapter) finish(t ticket, ans answer, seen sample, slow time.Duration) (late bool) {
	v := ans.verdict()
	if v == healthy && slow > 0 && seen.ended.Sub(seen.began) > slow {
		v = failing
	}
	late = a.circuit.end(t, v, ans.after)
	a.gate.finish(seen, v, late)
	return late
}

// permit is what it takes to make one request.
type permit struct {
	ticket
	secret map[string]string
}

// admit waits for leave to make one request. Without it, hold is the message's outcome; with it, the gate is entered.
func (a *Adapter) admit(ctx context.Context) (p permit, hold *outcome.Outcome) {
	park := func(resume <-chan struct{}, reason outcome.Reason, detail string) *outcome.Outcome {
		o := outcome.ParkUntil(resume, reason, detail)
		return &o
	}
	var err error
	if p.secret, err = a.secrets(); err != nil {
		a.failed(CredentialMissing, err.Error())
		return permit{}, park(after(recheck), CredentialMissing, err.Error())
	}
	if resume := a.circuit.shut(); resume != nil {
		return permit{}, park(resume, CircuitOpen, "the circuit is open")
	}
	far, err := a.queue(ctx)
	if err != nil {
		return permit{}, park(ctx.Done(), Stopping, "stopped while waiting for a limit")
	}
	if far > 0 {
		a.gate.leave()
		return permit{}, park(after(far), RateLimited, "the rate admits no request within a second")
	}
	t, resume := a.circuit.begin()
	if resume != nil {
		a.gate.leave()
		return permit{}, park(resume, CircuitOpen, "the circuit is open")
	}
	p.ticket = t
	return p, nil
}

// queue waits for concurrency and rate. Without an error the gate is entered.
func (a *Adapter) queue(ctx context.Context) (far time.Duration, err error) {
	entered := a.gate.tryEnter()
	if entered && a.pace.free.Load() {
		return 0, nil
	}
	stop := a.waiting(ctx)
	defer stop()
	if !entered {
		if err := a.gate.enter(ctx); err != nil {
			return 0, err
		}
	}
	a.gate.pacing.Add(1)
	far, err = a.pace.wait(ctx)
	a.gate.pacing.Add(-1)
	if err != nil {
		a.gate.leave()
	}
	return far, err
}

// again waits until the rate admits a request once more, with another credential; false if it does not now.
func (a *Adapter) again(ctx context.Context) (waited time.Duration, admitted bool) {
	if a.pace.free.Load() {
		return 0, true
	}
	stop := a.waiting(ctx)
	far, err := a.pace.wait(ctx)
	return stop(), err == nil && far == 0
}

// waiting begins a wait for limits; what it returns ends it, and says how long it was.
func (a *Adapter) waiting(ctx context.Context) (stop func() time.Duration) {
	start, stopClock := time.Now(), Waiting(ctx)
	return func() time.Duration {
		stopClock()
		took := time.Since(start)
		a.observer.Waited(a.spec.Name, took)
		return took
	}
}

// park is the outcome of a probe that failed. That the account is refused stays the reason: it does not pass by itself.
func (a *Adapter) park(ans answer) outcome.Outcome {
	resume := a.circuit.shut()
	if resume == nil { // it may be tried already again
		resume = after(0)
	}
	if ans.reason == CredentialRefused {
		return ans.park(resume, ans.reason, ans.detail)
	}
	return ans.park(resume, CircuitOpen, fmt.Sprintf("%s (%s)", ans.detail, ans.reason))
}

// park is the outcome of a message that is to be asked for again after resume.
func (a answer) park(resume <-chan struct{}, reason outcome.Reason, detail string) outcome.Outcome {
	o := outcome.ParkUntil(resume, reason, detail)
	o.MaybeMade = a.fateUnknown
	return o
}

// conclude is what an answer that is no success means when it is not asked again.
func (a *Adapter) conclude(ans answer) outcome.Outcome {
	switch ans.result {
	case permanent:
		return outcome.Kill(ans.reason, ans.detail)
	case misconfigured:
		return ans.park(after(recheck), ans.reason, ans.detail)
	case denied:
		return ans.park(after(tokenRecheck), ans.reason, ans.detail)
	}
	if a.unsettled(ans) && a.query != nil && ans.result != cut { // who has the queue next would not know that there was an attempt
		return outcome.RetryLater(ans.after, ans.reason, ans.detail+"; the next attempt asks first whether it had its effect")
	}
	if a.mustNotRepeat(ans) {
		return outcome.Kill(FateUnknown, fmt.Sprintf("%s (%s)", ans.detail, ans.reason))
	}
	if ans.result == cut {
		return ans.park(after(0), Stopping, ans.detail)
	}
	return outcome.RetryLater(ans.after, ans.reason, ans.detail)
}

// mustNotRepeat: the request may have had its effect, a second one would have it twice, and the user does not accept that.
func (a *Adapter) mustNotRepeat(ans answer) bool {
	contract := a.spec.Idempotency
	return ans.fateUnknown && !contract.KeysHonoured && !contract.AcceptDuplicates
}

// unsettled: the request may have had its effect, and that is asked for, or decided by a person, before a second one.
func (a *Adapter) unsettled(ans answer) bool {
	return a.mustNotRepeat(ans) || a.query != nil && ans.fateUnknown && !a.spec.Idempotency.KeysHonoured
}

// detail says where something happened.
func (a *Adapter) detail(r Request, what string) string {
	return fmt.Sprintf("adapter %s, step %s: %s", a.spec.Name, r.Step, what)
}

// pause waits for the delay, give or take a quarter; false if ctx ends before.
func pause(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(time.Duration(float64(delay) * (1 - jitter + 2*jitter*rand.Float64())))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// after returns a channel that is closed after d.
func after(d time.Duration) <-chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(d, func() { close(done) })
	return done
}

// send makes one request and reads what of the answer matters.
func (a *Adapter) send(ctx context.Context, r Request, secret map[string]string, limits *worker.AdapterLimits) (ans answer, seen sample) {
	seen.began = time.Now()
	a.inFlight.Add(1)
	ans = a.absent.judge(r.Step, a.authorized(ctx, r, secret, limits.Timeout.D()))
	a.inFlight.Add(-1)
	seen.began = seen.began.Add(ans.waited)
	seen.ended, seen.tooMany = time.Now(), ans.reason == TooManyRequests
	a.observer.Requested(a.spec.Name, r.Step, ans.reason, seen.ended.Sub(seen.began))
	if ans.result != success && ans.result != cut {
		a.failed(ans.reason, ans.detail)
	}
	return ans, seen
}
