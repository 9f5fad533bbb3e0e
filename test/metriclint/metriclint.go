// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package metriclint

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

// labels are all that a metric may have, and why each has few values.
var labels = map[string]string{
	"namespace": "of the user's objects",
	"group":     "of the user's objects",
	"kind":      "OrderFlow's kinds",
	"name":      "of the user's objects; on the operator's metrics only, where each object has one series",
	"adapter":   "of the user's objects",
	"step":      "named in a handler, at most 16",
	"outcome":   "the kinds of package outcome",
	"reason":    "CamelCase constants",
	"cause":     "worker.JumpCause",
	"status":    "constants of RocketMQ's protocol, and True, False, Unknown",
	"state":     "constants of this package's callers",
	"call":      "constants",
	"change":    "constants",
	"result":    "constants",
	"condition": "the condition types of api/v1alpha1",
	"bound":     "the ScalingBounds of api/v1alpha1",
}

// name is the shape of a name: what is counted or measured comes before its unit.
var name = regexp.MustCompile(`^orderflow(_[a-z]+)+_(total|seconds|bytes|messages|requests|queues|replicas|state)$`)

// foreign are the metrics of the language's runtime and the process, named by their makers.
var foreign = regexp.MustCompile(`^(go|process)_`)

// Check fails the test for each metric of the registry that is not as it should be. All of them must have a series by now.
func Check(t *testing.T, registry *prometheus.Registry) {
	t.Helper()
	families := Gather(t, registry)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	var made []string
	for _, f := range families {
		made = append(made, f.GetName())
		for _, problem := range judge(f) {
			t.Errorf("%s: %s", f.GetName(), problem)
		}
	}
	for _, n := range described(registry) {
		if !slices.Contains(made, n) {
			t.Errorf("%s is registered, but this test has not made a series of it: let it happen here, so that it is judged", n)
		}
	}
}

func judge(f *dto.MetricFamily) (problems []string) {
	if !name.MatchString(f.GetName()) {
		problems = append(problems, "the name is not orderflow_<noun>_<unit>")
	}
	if (f.GetType() == dto.MetricType_COUNTER) != strings.HasSuffix(f.GetName(), "_total") {
		problems = append(problems, "counters, and only they, end with _total")
	}
	if help := f.GetHelp(); !strings.HasSuffix(help, ".") || len(help) < len("Messages pulled.") {
		problems = append(problems, "the help text is no sentence")
	}
	for _, label := range labelsOf(f) {
		if labels[label] == "" {
			problems = append(problems, "the label "+label+" is not in metriclint's list of those with few values")
		}
	}
	return problems
}

// Gather returns OrderFlow's own metrics.
func Gather(t *testing.T, registry prometheus.Gatherer) []*dto.MetricFamily {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return foreign.MatchString(f.GetName()) })
}

// Series counts those of OrderFlow's own metrics.
func Series(t *testing.T, registry prometheus.Gatherer) (n int) {
	t.Helper()
	for _, f := range Gather(t, registry) {
		n += len(f.GetMetric())
	}
	return n
}

// labelsOf a family, sorted.
func labelsOf(f *dto.MetricFamily) (names []string) {
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			names = append(names, l.GetName())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// described are the names of all metrics that are registered, whether or not they have a series.
func described(registry *prometheus.Registry) (names []string) {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		registry.Describe(descs)
	}()
	fqName := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range descs {
		if n := fqName.FindStringSubmatch(d.String()); !foreign.MatchString(n[1]) {
			names = append(names, n[1])
		}
	}
	return names
}
