// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"math"

	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/scene"
)

const (
	// outageGraceMillis is what a healthy branch may take for an order; orders paid later in the outage are not judged.
	outageGraceMillis = 3000
	// drainRampMillis after SMS is back are left out of the drain: the circuit needs its open time to notice.
	drainRampMillis = 2000
)

// defineDemo defines the figures of out/demo.json.
func defineDemo(r *evidence.Recorder) {
	for _, a := range acts() {
		r.Figure(evidence.Figure{Name: "pay_p99_" + a.series() + "_ms", Formula: `quantile("pay_` + a.series() + `_ms", 0.99)`})
	}
	for _, figure := range []evidence.Figure{
		{Name: "pay_p99_coupled_over_decoupled", Formula: `quantile("pay_coupled_healthy_ms", 0.99) / quantile("pay_decoupled_healthy_ms", 0.99)`, Goal: "x >= 10.0"},
		{Name: "sent", Formula: `count("sent")`, Goal: "x > 0.0"},
		{Name: "handled", Formula: `count("handled")`},
		{Name: "lost", Formula: `count("lost")`, Goal: "x == 0.0"},
		{Name: "duplicates", Formula: `count("duplicates")`, Goal: "x == 0.0"},
		{Name: "dead_letters", Formula: `count("dead_letters")`, Goal: "x == 0.0"},
		{Name: "other_branches_rate_ratio", Formula: `count("outage_worst_branch_done") / count("outage_worst_branch_paid")`, Goal: "x >= 0.95"},
		{Name: "drain_rate_over_limit", Formula: `(count("drain_call_ms") - 1.0) * 1000.0 / (largest("drain_call_ms") - smallest("drain_call_ms")) / median("sms_limit_per_second")`, Goal: "x >= 0.8 && x <= 1.0"},
		{Name: "loss_sync", Formula: `count("broker_stop_sync_lost_unreported")`, Goal: "x == 0.0"},
		{Name: "loss_async_unreported", Formula: `count("broker_stop_async_lost_unreported")`, Goal: "x == 0.0"},
		{Name: "loss_oneway", Formula: `count("broker_stop_oneway_lost_unreported")`},
		{Name: "lost_sync_outbox", Formula: `count("broker_stop_sync_outbox_lost")`, Goal: "x == 0.0"},
		{Name: "lost_async_outbox", Formula: `count("broker_stop_async_outbox_lost")`, Goal: "x == 0.0"},
	} {
		r.Figure(figure)
	}
	for _, from := range senders() {
		r.Figure(evidence.Figure{Name: "pay_p50_" + from.String() + "_ms", Formula: `median("pay_` + from.String() + `_ms")`})
	}
	for _, mode := range []string{"push", "pull"} {
		r.Figure(evidence.Figure{Name: "effect_p50_" + mode + "_ms", Formula: `median("effect_` + mode + `_ms")`})
		r.Figure(evidence.Figure{Name: "effect_p99_" + mode + "_ms", Formula: `quantile("effect_` + mode + `_ms", 0.99)`})
	}
}

// sampleModes keeps how long after the payment an order had its effect in either mode: the sample's marketing consumes by Push, its credit by Pull, and
// their third parties are equally fast. All were healthy in [from, to), in milliseconds since 1970.
func sampleModes(r *evidence.Recorder, a account, from, to int64) {
	for _, step := range scene.Steps() {
		switch step.Handler {
		case "marketing":
			r.Sample("effect_push_ms", a.delays(step, from, to)...)
		case "credit":
			r.Sample("effect_pull_ms", a.delays(step, from, to)...)
		}
	}
}

// sampleAccount keeps the samples behind other_branches_rate_ratio and drain_rate_over_limit.
// SMS was dead from dead to back, in milliseconds since 1970.
func sampleAccount(r *evidence.Recorder, a account, dead, back int64) {
	worst, worstPaid, worstDone := math.Inf(1), 0, 0
	for _, step := range scene.Steps() {
		if step.Provider == "sms" {
			r.Sample("drain_call_ms", a.drain(step, back+drainRampMillis)...)
			continue
		}
		paid, done := a.onTime(step, dead, back, outageGraceMillis)
		r.Note("outage_"+step.Step, map[string]int{"paid": paid, "done": done})
		if ratio := float64(done) / float64(max(paid, 1)); ratio < worst {
			worst, worstPaid, worstDone = ratio, paid, done
		}
	}
	r.Sample("outage_worst_branch_paid", make([]float64, worstPaid)...)
	r.Sample("outage_worst_branch_done", make([]float64, worstDone)...)
}
