// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"maps"
	"math"
	"slices"

	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/scene"
)

// account is when each order was paid and when each of its effects happened, in milliseconds since 1970.
type account struct {
	paid map[string]int64
	// done is the first accepted call, by step and order.
	done map[ledger.Step]map[string]int64
}

func newAccount(orders []ledger.Order, calls []ledger.Call) account {
	a := account{paid: map[string]int64{}, done: map[ledger.Step]map[string]int64{}}
	for _, order := range orders {
		a.paid[order.ID] = order.PaidAtMillis
	}
	for _, step := range scene.Steps() {
		a.done[step] = map[string]int64{}
	}
	for _, call := range calls {
		if _, ours := a.paid[call.OrderID]; !ours || !call.Accepted {
			continue
		}
		for step, done := range a.done {
			if step.Provider != call.Provider || step.Action != call.Action {
				continue
			}
			if at, seen := done[call.OrderID]; !seen || call.AtMillis < at {
				done[call.OrderID] = call.AtMillis
			}
		}
	}
	return a
}

// onTime counts the orders paid in [from, to-grace) and those of them that had the step's effect before to.
func (a account) onTime(step ledger.Step, from, to, grace int64) (paid, onTime int) {
	for id, at := range a.paid {
		if at < from || at >= to-grace {
			continue
		}
		paid++
		if done, ok := a.done[step][id]; ok && done < to {
			onTime++
		}
	}
	return paid, onTime
}

// drain are the times of the step's effects from the moment after, for as long as orders paid before it were still waiting.
func (a account) drain(step ledger.Step, after int64) []float64 {
	var last int64
	for id, at := range a.paid {
		if at < after {
			last = max(last, a.done[step][id])
		}
	}
	var times []float64
	for _, at := range a.done[step] {
		if at >= after && at <= last {
			times = append(times, float64(at))
		}
	}
	slices.Sort(times)
	return times
}

// delays are how long after each order was paid, of those paid in [from, to), it had the step's effect, in milliseconds.
func (a account) delays(step ledger.Step, from, to int64) []float64 {
	var delays []float64
	for id, at := range a.paid {
		if done, ok := a.done[step][id]; ok && at >= from && at < to {
			delays = append(delays, float64(done-at))
		}
	}
	slices.Sort(delays)
	return delays
}

// slowestRate is the rate of the slowest step, in effects per second between its first and its last.
func (a account) slowestRate() float64 {
	slowest := math.Inf(1)
	for _, done := range a.done {
		times := slices.Collect(maps.Values(done))
		if len(times) > 1 {
			slowest = min(slowest, float64(len(times)-1)*1000/float64(slices.Max(times)-slices.Min(times)))
		}
	}
	return slowest
}

// sampleReport keeps the judgement as series that can be counted.
func sampleReport(r *evidence.Recorder, report ledger.Report) {
	r.Sample("sent", make([]float64, report.Paid)...)
	r.Sample("handled", make([]float64, report.Paid-len(report.Lost))...)
	r.Sample("lost", make([]float64, len(report.Lost))...)
	r.Sample("duplicates", make([]float64, report.Duplicates)...)
	r.Sample("dead_letters")
	for _, step := range report.Steps {
		r.Sample("dead_letters", make([]float64, step.DeadLettered)...)
	}
	r.Note("acts", report)
}
