// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"github.com/orderflow-dev/orderflow/test/evidence"
)

// summary says in words what the run came to, and then the figures beside their goals.
func (s *screen) summary(file evidence.File) {
	f := file.Figures
	s.line("\nWhat happened")
	s.line("  Paying an order took %.0f ms (p99) when the order service called every third party itself, and %.0f ms when it sent one message.",
		f["pay_p99_coupled_healthy_ms"], f["pay_p99_decoupled_healthy_ms"])
	s.line("  When SMS slowed from 100 ms to 1 s, the coupled order service needed %.0f ms, the decoupled %.0f ms.",
		f["pay_p99_coupled_slow_ms"], f["pay_p99_decoupled_slow_ms"])
	s.line("  While SMS was dead, the decoupled order service needed %.0f ms; the other branches handled %.0f %% of the orders on time.",
		f["pay_p99_decoupled_dead_ms"], 100*f["other_branches_rate_ratio"])
	s.line("  When SMS was back, what had waited was sent at %.0f %% of the provider's limit.", 100*f["drain_rate_over_limit"])
	s.line("  Of %.0f orders %.0f had all their effects; %.0f were lost, %.0f calls were made twice, %.0f messages became dead letters.",
		f["sent"], f["handled"], f["lost"], f["duplicates"], f["dead_letters"])
	s.line("  The broker hung for 5 s and was started again. Orders lost without anyone being told: Sync %.0f, Async %.0f, Oneway %.0f; with the outbox: Sync %.0f, Async %.0f.\n",
		f["loss_sync"], f["loss_async_unreported"], f["loss_oneway"], f["lost_sync_outbox"], f["lost_async_outbox"])
	if _, err := evidence.Table(s.out, []evidence.File{file}); err != nil {
		s.line("the table could not be shown: %v", err)
	}
}
