// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import "time"

// DelayLevels are RocketMQ's delay levels as brokers have them by default (messageDelayLevel); level n is the n-th. Messages wait in the broker for
// one of these, and nothing in between.
func DelayLevels() []time.Duration {
	const s, m, h = time.Second, time.Minute, time.Hour
	return []time.Duration{1 * s, 5 * s, 10 * s, 30 * s, 1 * m, 2 * m, 3 * m, 4 * m, 5 * m, 6 * m, 7 * m, 8 * m, 9 * m, 10 * m, 20 * m, 30 * m, 1 * h, 2 * h}
}

// brokerChooses is the delay level that lets the broker delay by the number of attempts: the third level at first, one more each time.
const brokerChooses = 0

// DelayLevel is the level that a worker asks a broker for: the lowest of DelayLevels that delays no less than this, counted from 1; the highest if
// none does; brokerChooses if no delay is asked.
func DelayLevel(after time.Duration) int {
	if after <= 0 {
		return brokerChooses
	}
	levels := DelayLevels()
	for i, delay := range levels {
		if delay >= after {
			return i + 1
		}
	}
	return len(levels)
}

// firstDelay is the index of the delay after the first attempt: level 3, as RocketMQ's own clients do it.
const firstDelay = 2

// Plan returns the delays that are asked for between attempts: after attempt n, counted from 1, Plan()[n-1]; after attempt len(Plan())+1 the message
// is a dead letter. It ends after MaxAttempts, or before the delay with which they would add up to more than MaxDuration.
func (r Retry) Plan() []time.Duration {
	levels := DelayLevels()
	return r.cut(func(n int) time.Duration { return levels[min(firstDelay+n, len(levels)-1)] })
}

// cut lists the delays, the first of which is number 0, that lie within MaxAttempts and MaxDuration.
func (r Retry) cut(delay func(n int) time.Duration) []time.Duration {
	var plan []time.Duration
	left := r.MaxDuration.D()
	for n := range r.MaxAttempts - 1 {
		delay := delay(n)
		if left -= delay; left < 0 {
			break
		}
		plan = append(plan, delay)
	}
	return plan
}

// The delays of a message that is tried again in its place double from the first to the longest: all later messages of its key wait for it.
const (
	firstDelayInPlace   = time.Second
	longestDelayInPlace = 30 * time.Second
)

// PlanInPlace returns the delays of a message that waits where its order is kept, and not in the broker. They are cut as Plan's are.
func (r Retry) PlanInPlace() []time.Duration {
	return r.cut(func(n int) time.Duration {
		return min(firstDelayInPlace<<min(n, 10), longestDelayInPlace)
	})
}

// Plan returns the delays between attempts, in the broker or in place.
func (s Structure) Plan() []time.Duration {
	if s.OrderKeyExpression != "" {
		return s.Retry.PlanInPlace()
	}
	return s.Retry.Plan()
}

// Delays returns what a broker with these levels, which are one at least, makes of the plan. It is asked for a level by its number, and takes its
// last for one it does not have.
func (r Retry) Delays(levels []time.Duration) []time.Duration {
	delays := r.Plan()
	for i, asked := range delays {
		delays[i] = levels[min(DelayLevel(asked), len(levels))-1]
	}
	return delays
}
