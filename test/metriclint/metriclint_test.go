// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package metriclint

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestWhatIsWrongIsSeen(t *testing.T) {
	for _, c := range []struct {
		name, help, label string
		problem           string
	}{
		{"orderflow_requests_total", "Requests to third parties.", "adapter", ""},
		{"orderflow_requests_total", "Requests to third parties.", "order_id", "the label order_id is not in metriclint's list of those with few values"},
		{"orderflow_requests_total", "Requests", "adapter", "the help text is no sentence"},
		{"orderflow_requests", "Requests to third parties.", "adapter", "counters, and only they, end with _total"},
		{"orderflow_total", "Requests to third parties.", "adapter", "the name is not orderflow_<noun>_<unit>"},
		{"shop_requests_total", "Requests to third parties.", "adapter", "the name is not orderflow_<noun>_<unit>"},
	} {
		registry := prometheus.NewRegistry()
		counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.name, Help: c.help}, []string{c.label})
		registry.MustRegister(counter)
		if !slices.Contains(described(registry), c.name) {
			t.Errorf("%s is not among those registered", c.name)
		}
		counter.WithLabelValues("x").Inc()
		problems := judge(Gather(t, registry)[0])
		if c.problem == "" && len(problems) > 0 || c.problem != "" && !slices.Contains(problems, c.problem) {
			t.Errorf("%s{%s}: got %q, want %q", c.name, c.label, problems, c.problem)
		}
	}
}
